"""HTTP/1.1 for engine `server`: one request at a time on a connection, which is kept for the next.

Ours because of what a request costs at 256 in flight, which `tests/bench/generate_server.py` measures beside
aiohttp. No proxies, redirects or compression: an endpoint of a model needs none.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Mapping
from typing import NamedTuple, cast
from urllib.parse import SplitResult

HEAD_END = b"\r\n\r\n"
MOST_HEAD_BYTES = 64 << 10


class WireError(OSError):
    """The connection broke, or what came over it is not HTTP; asking again may help."""


class Reply(NamedTuple):
    """A complete response; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connections:
    """Connections by address, as many as there are requests at a time; to be closed in the end."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, int], list[_Connection]] = {}
        self._open: set[_Connection] = set()
        self._tls = ssl.create_default_context()

    async def ask(
        self, url: SplitResult, head: bytes, body: bytes = b"", *, seconds: float
    ) -> Reply:
        """Sends a request and waits for its reply; raises OSError, TimeoutError among it.

        A kept connection that the server has closed meanwhile is replaced once: nothing was asked on it.
        """
        async with asyncio.timeout(seconds):
            while True:
                place = (url.hostname or "", url.port or (443 if url.scheme == "https" else 80))
                kept = self._idle.setdefault(place, [])
                used = bool(kept)
                connection = kept.pop() if used else await self._connect(place, url.scheme)
                try:
                    reply = await connection.ask(head, body)
                except WireError:
                    connection.close()
                    if used and not connection.heard:
                        continue
                    raise
                except BaseException:
                    # What it would still say must not be taken for the answer to the next request.
                    connection.close()
                    raise
                if connection.usable:
                    kept.append(connection)
                return reply

    async def _connect(self, place: tuple[str, int], scheme: str) -> _Connection:
        loop = asyncio.get_running_loop()
        tls = self._tls if scheme == "https" else None
        _, connection = await loop.create_connection(
            lambda: _Connection(self._open), *place, ssl=tls
        )
        return connection

    def close(self) -> None:
        """Closes every connection."""
        for connection in list(self._open):
            connection.close()


class _Connection(asyncio.Protocol):
    def __init__(self, all_open: set[_Connection]) -> None:
        self._all_open = all_open
        self._received = bytearray()
        self._head: tuple[int, dict[str, str], int] | None = None
        self._reply: asyncio.Future[Reply] | None = None
        self.heard = self.usable = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        self._all_open.add(self)
        # Long silences are normal here, so routers on the way must be kept from forgetting us.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    async def ask(self, head: bytes, body: bytes) -> Reply:
        self._received.clear()
        self._head, self.heard, self.usable = None, False, False
        self._reply = asyncio.get_running_loop().create_future()
        if self._transport.is_closing():
            raise WireError("the server closed the connection")
        self._transport.write(head + body)
        return await self._reply

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._received += data
        self.heard = True
        if self._reply is None or self._reply.done():
            # Nothing was asked: whatever this is, it is no answer.
            self.usable = False
            self._transport.abort()
            return
        try:
            self._parse(ended=False)
        except (ValueError, IndexError) as error:
            self._fail(WireError(f"not HTTP ({error})"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._all_open.discard(self)
        self.usable = False
        if self._reply is None or self._reply.done():
            return
        with contextlib.suppress(ValueError, IndexError):
            self._parse(ended=True)
        if not self._reply.done():
            self._fail(WireError(f"the connection broke ({exc or 'closed by the server'})"))

    def _fail(self, error: WireError) -> None:
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(error)
        self._transport.abort()

    def _parse(self, *, ended: bool) -> None:
        """Hands the reply over once it is complete; raises ValueError where it cannot be HTTP."""
        while self._head is None:
            end = self._received.find(HEAD_END)
            if end < 0:
                if len(self._received) > MOST_HEAD_BYTES:
                    raise ValueError("the head has no end")
                return
            status, headers = _head(bytes(self._received[:end]))
            if status < 200:  # an interim response
                del self._received[: end + len(HEAD_END)]
                continue
            self._head = status, headers, end + len(HEAD_END)
        status, headers, start = self._head
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = _unchunked(self._received, start)
        elif "content-length" in headers:
            length = int(headers["content-length"])
            whole = len(self._received) - start >= length
            body = bytes(self._received[start : start + length]) if whole else None
        else:
            body = bytes(self._received[start:]) if ended else None
        if body is not None and self._reply is not None:
            self.usable = not ended and headers.get("connection", "").lower() != "close"
            self._reply.set_result(Reply(status, headers, body))
            if not self.usable:
                self._transport.abort()


def _head(text: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = text.decode("latin-1").split("\r\n")
    protocol, status, *_ = first.split(" ", 2)
    if not protocol.startswith("HTTP/1."):
        raise ValueError(f"it begins with {first[:40]!r}")
    pairs = (line.partition(":") for line in lines)
    return int(status), {name.strip().lower(): value.strip() for name, _, value in pairs}


def _unchunked(received: bytearray, at: int) -> bytes | None:
    """The body that chunks make; None where its end has not come yet."""
    parts: list[bytes] = []
    while True:
        line = received.find(b"\r\n", at)
        if line < 0:
            return None
        size = int(received[at:line].split(b";")[0], 16)
        start = line + 2
        if size == 0:
            return b"".join(parts) if received.find(b"\r\n", start) >= 0 else None
        if len(received) < start + size + 2:
            return None
        parts.append(bytes(received[start : start + size]))
        at = start + size + 2
