"""Engine `server`: any OpenAI-compatible endpoint, several of them balanced.

`$SOURCEWISE_SERVER_URLS` lists base addresses (`http://host:8000/v1`) with commas between them; without it
the replicas are asked that `sourcewise serve` keeps. `$SOURCEWISE_SERVER_KEY` is sent to listed addresses
as the bearer token where it is set, `$SOURCEWISE_SERVER_CONCURRENCY`
bounds the requests in flight (64), `$SOURCEWISE_SERVER_SECONDS` the wait for one reply (7200: a reasoning
model may write for an hour before the first byte of an unstreamed response).

A request is repeated after 429, 5xx, timeouts, broken connections and replies that cannot be used, at the
address with the least to do and after a growing, random pause; any other 4xx ends the job, because it would
fail again. An address that keeps failing is left alone for a while.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import os
import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

from sourcewise.engines.addresses import Address, addresses, least_busy
from sourcewise.engines.contract import (
    PROMPT_TOO_LONG,
    Batch,
    Completion,
    EngineError,
    Request,
    turns,
)
from sourcewise.engines.wire import Connections, Reply
from sourcewise.params.base import Sampling
from sourcewise.text import THINK_CLOSE, THINK_OPEN

TRIES = 8
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
LOOK_SECONDS = 10.0
# A killed job loses what came in this time; a batch costs the ledger a wait for the disk.
SECONDS_HELD = 0.1
# Named in a reply's id or header by servers that take ours over; others name requests as they like.
OURS = re.compile(r"sourcewise-[0-9a-f]{32}")

_served = "server"


def version() -> str:
    """What the ledger records as the engine: with the server's own name and version where it tells."""
    return _served


def complete(
    requests: Sequence[Request],
    *,
    model: str,
    revision: str,
    sampling: Sampling,
    system: str | None,
) -> Iterator[Batch]:
    """Yields requests as their replies arrive; `revision` is recorded, a listed server cannot be asked for one.

    The event loop runs while the next batch is waited for, and stands still while the caller keeps the
    last one: no request is sent that nobody can take the answer of.
    """
    global _served
    loop = _new_loop()
    asking = _Asking(requests, _Client(model, revision, sampling, system))
    try:
        _served = loop.run_until_complete(asking.client.look())
        while batch := loop.run_until_complete(asking.batch()):
            yield batch
        if asking.failure is not None:
            raise asking.failure
    finally:
        loop.run_until_complete(asking.close())
        loop.close()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


class _Asking:
    """Requests on their way: each of some workers takes the next one when its last is answered."""

    def __init__(self, requests: Sequence[Request], client: _Client) -> None:
        self.client = client
        self.failure: EngineError | None = None
        self._waiting = iter(requests)
        self._finished: Batch = []
        self._everyone: asyncio.Future[Any] | None = None

    async def batch(self) -> Batch:
        """What was answered since the last one; empty when nothing is left to wait for."""
        if self._everyone is None:
            n = int(os.environ.get("SOURCEWISE_SERVER_CONCURRENCY", "64"))
            self._everyone = asyncio.gather(*(self._work() for _ in range(n)))
        while not self._everyone.done():
            await asyncio.wait([self._everyone], timeout=SECONDS_HELD)
            self.client.addresses.keep()
            if self._finished:
                break
        if self._everyone.done():
            self._everyone.result()  # raises what is a mistake of ours
        batch, self._finished = self._finished, []
        return batch

    async def _work(self) -> None:
        # What is in flight when another request fails is paid for: it is waited for and kept.
        while self.failure is None and (request := next(self._waiting, None)) is not None:
            try:
                completion = await self.client.ask(request)
                self._finished.append((request, completion))
            except EngineError as error:
                self.failure = self.failure or error
                self.client.stop()

    async def close(self) -> None:
        """Ends what is still under way."""
        if self._everyone is not None:
            self._everyone.cancel()
            await asyncio.wait([self._everyone])
        self.client.connections.close()
        await asyncio.sleep(0)


class _Client:
    """Asks requests until each has a usable reply."""

    def __init__(self, model: str, revision: str, sampling: Sampling, system: str | None) -> None:
        self.addresses = addresses(model, revision)
        self._seconds = float(os.environ.get("SOURCEWISE_SERVER_SECONDS", "7200"))
        self._model, self._sampling, self._system = model, sampling, system
        # Jitter need not be repeatable: it decides when a request is sent, never what it says.
        self._random = random.Random()
        self._stopped: asyncio.Event | None = None
        self.connections = Connections()

    def stop(self) -> None:
        """Lets no request be tried again."""
        if self._stopped is not None:
            self._stopped.set()

    async def look(self) -> str:
        """What serves, such as `server (vllm 0.32.0)`; raises EngineError where our model is not served.

        Endpoints that list no models, or are not up yet, are taken as they are.
        """
        self._stopped = asyncio.Event()
        names = set()
        for address in await self.addresses.all():
            listed = await self._get(address, f"{address.url.path}/models")
            entries = listed.get("data") if isinstance(listed, dict) else None
            models = {
                str(one["id"]): one
                for one in entries or []
                if isinstance(one, dict) and "id" in one
            }
            if models and self._model not in models:
                near = difflib.get_close_matches(self._model, models, n=3, cutoff=0.0)
                raise EngineError(
                    f"{address} does not serve {self._model!r}, but {', '.join(near)}: "
                    f"{self.addresses.advice}"
                )
            told = await self._get(address, f"{address.url.path.removesuffix('/v1')}/version")
            if isinstance(told, dict) and isinstance(told.get("version"), str):
                who = str(models.get(self._model, {}).get("owned_by", ""))
                names.add(" ".join(filter(None, [who, told["version"]])))
        return f"server ({', '.join(sorted(names))})" if names else "server"

    async def _get(self, address: Address, path: str) -> Any:
        """The JSON at a path; None where there is none. Raises EngineError where we are not let in."""
        head = self._head(address, "GET", path)
        try:
            reply = await self.connections.ask(address.url, head, seconds=LOOK_SECONDS)
            if reply.status in (401, 403):
                raise EngineError(
                    f"{address}: {reply.status} {_excerpt(reply.body)}: set SOURCEWISE_SERVER_KEY"
                )
            return json.loads(reply.body) if reply.status == 200 else None
        except (OSError, ValueError):
            return None

    async def ask(self, request: Request) -> Completion:
        """Asks until there is a usable reply; raises EngineError when there will be none."""
        body = json.dumps(self._body(request)).encode()
        trouble = ""
        number = 0
        while True:
            address = await least_busy(self.addresses)
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**number) * self._random.uniform(0.5, 1.5)
            try:
                reply = await self._post(address, request, body)
                if reply.status == 200:
                    completion = _completion(reply, request)
                    address.worked()
                    return completion
                trouble = f"{address}: {reply.status} {_excerpt(reply.body)}"
                if reply.status == 400 and _is_too_long(reply.body):
                    return Completion("", PROMPT_TOO_LONG, 0, 0)
                if reply.status != 429 and reply.status < 500:
                    raise EngineError(f"query {request.query_id}: {trouble}")
                if reply.status != 429:
                    address.failed()
                pause = _seconds(reply.headers.get("retry-after"), pause)
            except (OSError, ValueError) as error:
                address.failed()
                said = "no reply in time" if isinstance(error, TimeoutError) else str(error)
                trouble = f"{address}: {type(error).__name__}: {said}"
            # A replica that has ended took its requests along: no fault of theirs.
            number += not self.addresses.gone(address)
            if number == TRIES or await self._stops_within(pause):
                break
        raise EngineError(f"query {request.query_id}: given up after {TRIES} tries; last {trouble}")

    async def _stops_within(self, seconds: float) -> bool:
        assert self._stopped is not None
        try:
            async with asyncio.timeout(seconds):
                return await self._stopped.wait()
        except TimeoutError:
            return False

    async def _post(self, address: Address, request: Request, body: bytes) -> Reply:
        head = self._head(
            address,
            "POST",
            f"{address.url.path}/chat/completions",
            f"Content-Type: application/json\r\nX-Request-Id: sourcewise-{request.key}\r\n"
            f"Content-Length: {len(body)}\r\n",
        )
        address.in_flight += 1
        try:
            return await self.connections.ask(address.url, head, body, seconds=self._seconds)
        finally:
            address.in_flight -= 1

    def _head(self, address: Address, method: str, path: str, more: str = "") -> bytes:
        host = address.url.netloc.rpartition("@")[2]
        key = self.addresses.key
        authorization = f"Authorization: Bearer {key}\r\n" if key else ""
        return (
            f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n"
            f"{authorization}{more}\r\n"
        ).encode()

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


def _completion(reply: Reply, request: Request) -> Completion:
    """Reads a reply; raises ValueError where it is not what the interface promises."""
    body = reply.body
    try:
        content = json.loads(body)
        names = f"{content.get('id')} {reply.headers.get('x-request-id')}"
        if others := set(OURS.findall(names)) - {f"sourcewise-{request.key}"}:
            raise ValueError(f"this answers request {min(others)}")
        [choice] = content["choices"]
        message, usage = choice["message"], content["usage"]
        text = message.get("content") or ""
        if reasoning := message.get("reasoning_content") or message.get("reasoning"):
            text = f"{THINK_OPEN}{reasoning}{THINK_CLOSE}{text}"
        counts = usage["completion_tokens"], usage["prompt_tokens"]
        if not all(type(count) is int for count in counts):
            raise ValueError(f"usage {counts} is not two numbers")
        return Completion(text, choice["finish_reason"] or "unknown", *counts)
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
