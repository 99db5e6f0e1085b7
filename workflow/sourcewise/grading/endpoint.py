"""An OpenAI-compatible endpoint that replies within a deadline or counts as silent, whatever it does.

After 429, 5xx, broken connections and silence a question is asked again, with a growing, random pause;
any other 4xx would be the same again. A client's own time-outs count the wait for the next byte, which a
server that trickles never exceeds; here an event loop ends the whole exchange.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

CONCURRENT = 16  # questions in flight; a server batches them
AHEAD = 4 * CONCURRENT  # items read before the first of them is settled
TRIES = 6
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
MAX_REPLY_BYTES = 1 << 20
# Questions in a row without a reply, each asked TRIES times, after which no other is asked.
SILENT = 32
# A wrong key, a forbidden model, a wrong address: it would be the same for every question.
_CLOSED = frozenset({401, 403, 404})

Item = TypeVar("Item")
Value = TypeVar("Value")


class SilentError(RuntimeError):
    """The endpoint gives no replies, which says nothing of what was asked."""


class ReplyError(RuntimeError):
    """The endpoint refused this question or replied with something that is no completion."""


class Endpoint:
    """One model behind one address, for any number of threads; open only inside a `with` block."""

    def __init__(self, url: str, key: str, *, model: str, seed: int, seconds: float) -> None:
        import openai

        self._openai: Any = openai
        self._client = openai.AsyncOpenAI(
            base_url=url,
            api_key=key,
            timeout=seconds,
            max_retries=0,
            default_headers={"Accept-Encoding": "identity"},  # few bytes may unpack to many
        )
        self._url, self._seconds = url, seconds
        self._settings = {"model": model, "seed": seed, "temperature": 0.0}
        self._structured = True
        self._silent = 0
        self._abandoned = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Endpoint:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """To be called when no thread asks any more."""
        asyncio.run_coroutine_threadsafe(self._client.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def abandon(self) -> None:
        """Ends all open questions, and those that threads may still bring."""
        asyncio.run_coroutine_threadsafe(self._abandon(), self._loop).result()

    async def _abandon(self) -> None:
        self._abandoned = True
        open_questions = asyncio.all_tasks() - {asyncio.current_task()}
        for question in open_questions:
            question.cancel()
        await asyncio.gather(*open_questions, return_exceptions=True)

    def ask(self, prompt: str, *, schema: Mapping[str, Any], max_tokens: int) -> str:
        """The text of the reply to one user turn, held to a JSON schema where the server can do that.

        Raises SilentError and ReplyError.
        """
        question = self._ask(prompt, schema, max_tokens)
        return asyncio.run_coroutine_threadsafe(question, self._loop).result()

    async def _ask(self, prompt: str, schema: Mapping[str, Any], max_tokens: int) -> str:
        if self._abandoned:
            raise SilentError(f"{self._url} is not asked any more")
        if self._silent >= SILENT:
            raise SilentError(f"{self._url} left {SILENT} questions in a row without a reply")
        trouble = ""
        for number in range(TRIES):
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**number) * random.uniform(0.5, 1.5)
            try:
                async with asyncio.timeout(self._seconds):
                    text = await self._structured_or_not(prompt, schema, max_tokens)
                self._silent = 0
                return text
            except ReplyError:
                self._silent = 0
                raise
            except self._openai.APIStatusError as error:
                trouble = f"{error.status_code} {str(error)[:200]}"
                if error.status_code in _CLOSED:
                    break
                if error.status_code != 429 and error.status_code < 500:
                    self._silent = 0
                    raise ReplyError(f"{self._url} refuses the question: {trouble}") from None
                pause = _asked_for(error.response.headers.get("Retry-After"), pause)
            except TimeoutError:
                trouble = f"no reply within {self._seconds:g} s"
            # The transport's classes depend on the client's version, and are not the client's own.
            except Exception as error:
                trouble = f"{type(error).__name__}: {error}"
            if number + 1 < TRIES:
                await asyncio.sleep(pause)
        self._silent += 1
        raise SilentError(f"{self._url} gives no reply; last {trouble}")

    async def _structured_or_not(
        self, prompt: str, schema: Mapping[str, Any], max_tokens: int
    ) -> str:
        """Asks for structured output until the server refuses such a question and takes it without."""
        plain = {
            **self._settings,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": max_tokens,
        }
        if not self._structured:
            return await self._send(plain)
        wanted = {"name": "reply", "strict": True, "schema": schema}
        try:
            return await self._send(
                {**plain, "response_format": {"type": "json_schema", "json_schema": wanted}}
            )
        except (self._openai.BadRequestError, self._openai.UnprocessableEntityError):
            text = await self._send(plain)
            self._structured = False
            return text

    async def _send(self, body: dict[str, Any]) -> str:
        create = self._client.chat.completions.with_streaming_response.create
        content = bytearray()
        async with create(**body) as response:
            async for part in response.iter_bytes():
                content += part
                if len(content) > MAX_REPLY_BYTES:
                    raise ReplyError(f"{self._url} replies with more than {MAX_REPLY_BYTES} bytes")
        return _text(bytes(content))


def in_order(
    items: Iterable[Item], work: Callable[[Item], Value], client: Endpoint | None
) -> Iterator[tuple[Item, Value]]:
    """Items with what `work`, which asks the endpoint, makes of them; several at a time."""
    waiting: deque[tuple[Item, Future[Value]]] = deque()
    with ThreadPoolExecutor(CONCURRENT) as threads:
        try:
            for item in items:
                waiting.append((item, threads.submit(work, item)))
                if len(waiting) == AHEAD:
                    first, value = waiting.popleft()
                    yield first, value.result()
            for first, value in waiting:
                yield first, value.result()
        finally:  # also where the caller leaves early, or is interrupted
            threads.shutdown(wait=False, cancel_futures=True)
            if client is not None:
                client.abandon()


def _text(content: bytes) -> str:
    try:
        text = json.loads(content)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise ReplyError(f"no chat completion: {content[:120]!r}") from None
    return text if isinstance(text, str) else ""


def _asked_for(retry_after: str | None, pause: float) -> float:
    """The pause that the server asks for, where it says so in seconds."""
    try:
        return min(LONGEST_PAUSE, max(pause, float(retry_after or "")))
    except ValueError:
        return pause
