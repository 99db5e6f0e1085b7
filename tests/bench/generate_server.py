"""Engine `server` at 256 in flight, against a server on loopback that answers after a fixed time.

The server is another process, whose CPU is not ours. Ideal is what 256 in flight can get at that delay; the
peer is aiohttp with the same requests, which reads replies and parses their JSON and does nothing else.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from statistics import median

from figure import Figure

from sourcewise.engines import server
from sourcewise.engines.contract import Request
from sourcewise.params.base import Sampling
from sourcewise.tables import Message

IN_FLIGHT, DELAY, N, ROUNDS = 256, 0.25, 8000, 3
PROMPT = "Natalia sold clips to 48 of her friends in April, and then half as many in May. " * 3

# Answers each POST after the delay with a text of 1,000 words, each GET with 404.
SERVER = """
import asyncio, json, sys
delay, n_words = float(sys.argv[1]), 1000
text = "<think>" + "so " * n_words + "</think><answer>72</answer>"
choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
usage = {"completion_tokens": n_words, "prompt_tokens": 60}
body = json.dumps({"choices": [choice], "usage": usage}).encode()
reply = b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body)
nothing = b"HTTP/1.1 404 Not Found\\r\\nContent-Length: 0\\r\\n\\r\\n"

class Answering(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.received = transport, b""

    def data_received(self, data):
        self.received += data
        end = self.received.find(b"\\r\\n\\r\\n")
        if end < 0:
            return
        head = self.received[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\\r\\n")[0]) if at >= 0 else 0
        if len(self.received) >= end + 4 + length:
            self.received = self.received[end + 4 + length :]
            wait, what = (0, nothing) if head.startswith(b"get") else (delay, reply)
            asyncio.get_running_loop().call_later(wait, self.transport.write, what)

async def main():
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(Answering, "127.0.0.1", 0, backlog=1024)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()

try:
    import uvloop
    uvloop.install()
except ImportError:
    pass
asyncio.run(main())
"""


def figures() -> Iterator[Figure]:
    """Ours and the peer in turns; medians of three."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(DELAY)], stdout=subprocess.PIPE, text=True
    ) as serving:
        try:
            assert serving.stdout is not None
            url = f"http://127.0.0.1:{int(serving.stdout.readline())}/v1"
            os.environ["SOURCEWISE_SERVER_URLS"] = url
            os.environ["SOURCEWISE_SERVER_CONCURRENCY"] = str(IN_FLIGHT)
            both = [(_spent(_ours), _spent(lambda: _aiohttp(url))) for _ in range(ROUNDS)]
        finally:
            serving.kill()
    ideal = IN_FLIGHT / DELAY
    rate, peer_rate = (median(pair[one][0] for pair in both) for one in (0, 1))
    cpu, peer_cpu = (median(pair[one][1] for pair in both) for one in (0, 1))
    yield Figure(
        f"server engine, requests/s at {IN_FLIGHT} in flight",
        f"{rate:,.0f}/s, {rate / ideal:.3f} of ideal",
        f"ideal {ideal:,.0f}/s, aiohttp {peer_rate / ideal:.3f}",
        "≥ 0.95",
        rate / ideal >= 0.95,
    )
    yield Figure(
        "server engine, CPU a request",
        f"{cpu * 1e6:.0f} µs",
        f"aiohttp {peer_cpu * 1e6:.0f} µs, ratio {cpu / peer_cpu:.2f}",
        "≤ 150 µs",
        cpu <= 150e-6,
    )


def _spent(run: Callable[[], int]) -> tuple[float, float]:
    """Requests a second, and seconds of processor each."""
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    n = run()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return n / wall, cpu / n


def _ours() -> int:
    requests = [
        Request(f"{n:032x}", f"{n:032x}", 1, [Message("user", PROMPT)], n, 1000) for n in range(N)
    ]
    sampling = Sampling(temperature=0.6, top_p=0.95, max_tokens=1000)
    batches = server.complete(requests, model="m", revision="r", sampling=sampling, system=None)
    got = {request.key for batch in batches for request, _ in batch}
    if len(got) != N:
        raise SystemExit(f"bench_generate: {len(got)} of {N} requests were answered")
    return len(got)


def _aiohttp(url: str) -> int:
    import aiohttp

    waiting = iter(range(N))

    async def work(session: aiohttp.ClientSession) -> int:
        done = 0
        for n in waiting:
            messages = [{"role": "user", "content": PROMPT}]
            body = json.dumps({"model": "m", "messages": messages, "seed": n, "n": 1})
            async with session.post(f"{url}/chat/completions", data=body) as reply:
                done += len(json.loads(await reply.read())["choices"])
        return done

    async def main() -> int:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            return sum(await asyncio.gather(*(work(session) for _ in range(IN_FLIGHT))))

    try:
        import uvloop
    except ImportError:
        return asyncio.run(main())
    return int(uvloop.run(main()))
