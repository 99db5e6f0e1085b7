"""Engine `server`: any OpenAI-compatible endpoint, several of them balanced.

`$SOURCEWISE_SERVER_URLS` lists base addresses (`http://host:8000/v1`) with commas between them,
`$SOURCEWISE_SERVER_KEY` is sent as the bearer token where it is set, `$SOURCEWISE_SERVER_CONCURRENCY`
bounds the requests in flight. A request is repeated after 429, 5xx, timeouts and broken connections, at
the next address and with a growing, random pause; any other 4xx ends the job, because it would fail again.

The standard library's client takes 0.3 ms of CPU a request where httpx takes 1.0 (measured on loopback
with 32 threads), and every environment has it.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import random
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from sourcewise.engines.contract import (
    PROMPT_TOO_LONG,
    Batch,
    Completion,
    EngineError,
    Request,
    turns,
)
from sourcewise.params.base import Sampling
from sourcewise.text import THINK_CLOSE, THINK_OPEN

TRIES = 8
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
# A reasoning model may write for an hour before the first byte of an unstreamed response.
SECONDS = 7200.0


def version() -> str:
    """What the ledger records as the engine."""
    return "server"


class _Reply(NamedTuple):
    status: int
    body: bytes
    retry_after: str | None


def complete(
    requests: Sequence[Request],
    *,
    model: str,
    revision: str,
    sampling: Sampling,
    system: str | None,
) -> Iterator[Batch]:
    """Yields requests as their replies arrive; `revision` is recorded, a server cannot be asked for one."""
    client = _Client(model, sampling, system)
    concurrency = int(os.environ.get("SOURCEWISE_SERVER_CONCURRENCY", "64"))
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="server")
    waiting, running = iter(requests), set[Future[tuple[Request, Completion]]]()
    failure: BaseException | None = None
    try:
        while True:
            if failure is None:
                for request in itertools.islice(waiting, 2 * concurrency - len(running)):
                    running.add(pool.submit(client.ask, request))
            if not running:
                break
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            failures = [error for future in ended if (error := future.exception())]
            if failures and failure is None:
                # What is in flight is paid for: it is still waited for and kept.
                failure = failures[0]
                client.stopped.set()
                running = {future for future in running if not future.cancel()}
            if kept := [future.result() for future in ended if future.exception() is None]:
                yield kept
    finally:
        client.stopped.set()
        pool.shutdown(wait=False, cancel_futures=True)
    if failure is not None:
        raise failure


class _Client:
    """Asks one request at a time; each thread keeps its connections open."""

    def __init__(self, model: str, sampling: Sampling, system: str | None) -> None:
        listed = os.environ.get("SOURCEWISE_SERVER_URLS", "")
        self._urls = [url.strip().rstrip("/") for url in listed.split(",") if url.strip()]
        if not self._urls:
            raise EngineError(
                "no server to ask: set SOURCEWISE_SERVER_URLS to one or more base addresses, "
                "such as http://localhost:8000/v1"
            )
        key = os.environ.get("SOURCEWISE_SERVER_KEY")
        self._headers = {"Content-Type": "application/json"}
        self._headers |= {"Authorization": f"Bearer {key}"} if key else {}
        self._model, self._sampling, self._system = model, sampling, system
        self._turn = itertools.count()
        self._local = threading.local()
        self.stopped = threading.Event()

    def ask(self, request: Request) -> tuple[Request, Completion]:
        """Asks until there is a usable reply; raises EngineError when there will be none."""
        body = json.dumps(self._body(request)).encode()
        # Jitter need not be repeatable: it decides when a request is sent, never what it says.
        jitter = random.Random()
        trouble = ""
        for number in range(TRIES):
            url = self._urls[next(self._turn) % len(self._urls)]
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**number) * jitter.uniform(0.5, 1.5)
            try:
                reply = self._post(url, body)
                if reply.status == 200:
                    return request, _completion(reply.body)
                trouble = f"{url}: {reply.status} {_excerpt(reply.body)}"
                if reply.status == 400 and _is_too_long(reply.body):
                    return request, Completion("", PROMPT_TOO_LONG, 0, 0)
                if reply.status != 429 and reply.status < 500:
                    raise EngineError(f"query {request.query_id}: {trouble}")
                pause = _seconds(reply.retry_after, pause)
            except (OSError, http.client.HTTPException, ValueError) as error:
                trouble = f"{url}: {type(error).__name__}: {error}"
            if self.stopped.wait(pause if number + 1 < TRIES else 0):
                break
        raise EngineError(f"query {request.query_id}: given up after {TRIES} tries; last {trouble}")

    def _body(self, request: Request) -> dict[str, Any]:
        return {
            "model": self._model,
            "messages": turns(request.messages, self._system),
            "temperature": self._sampling.temperature,
            "top_p": self._sampling.top_p,
            "max_tokens": request.max_tokens,
            "seed": request.seed,
            "n": 1,
            "stream": False,
        }

    def _post(self, url: str, body: bytes) -> _Reply:
        connections = self._local.__dict__.setdefault("connections", {})
        parts = urlsplit(url)
        if url not in connections:
            kind = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
            if parts.scheme not in kind or not parts.hostname:
                raise EngineError(f"SOURCEWISE_SERVER_URLS: {url!r} is not an http(s) address")
            connections[url] = kind[parts.scheme](parts.hostname, parts.port, timeout=SECONDS)
        connection = connections[url]
        try:
            connection.request("POST", f"{parts.path}/chat/completions", body, self._headers)
            # Long silences are normal here, so routers on the way must be kept from forgetting us.
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            response = connection.getresponse()
            return _Reply(response.status, response.read(), response.getheader("Retry-After"))
        except (OSError, http.client.HTTPException):
            connection.close()
            raise


def _completion(body: bytes) -> Completion:
    """Reads a reply; raises ValueError where it is not what the interface promises."""
    try:
        reply = json.loads(body)
        [choice] = reply["choices"]
        message, usage = choice["message"], reply["usage"]
        text = message.get("content") or ""
        if reasoning := message.get("reasoning_content") or message.get("reasoning"):
            text = f"{THINK_OPEN}{reasoning}{THINK_CLOSE}{text}"
        reason = choice["finish_reason"] or "unknown"
        return Completion(text, reason, usage["completion_tokens"], usage["prompt_tokens"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"unusable reply ({error!r}): {_excerpt(body)}") from None


def _is_too_long(body: bytes) -> bool:
    text = body.decode("utf-8", "replace").lower()
    return "context_length_exceeded" in text or "maximum context length" in text


def _seconds(retry_after: str | None, pause: float) -> float:
    """What the server asks for, where it says so in seconds."""
    try:
        return min(LONGEST_PAUSE, max(0.0, float(retry_after or "")))
    except ValueError:
        return pause


def _excerpt(body: bytes) -> str:
    return body[:300].decode("utf-8", "replace")
