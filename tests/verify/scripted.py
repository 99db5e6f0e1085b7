"""An OpenAI-compatible server on loopback that answers as a test tells it to: well, badly or never."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class Scripted(ThreadingHTTPServer):
    """Says what `reply(prompt)` says and keeps every request.

    A reply is a text, None for a plain 400, or a function that does with the handler what it likes.
    `structured` is whether the server knows `response_format`; without it such a request gets 400.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply: Callable[[str], Any] = lambda prompt: '{"similarity": 5}'
        self.structured = True
        self.requests: list[dict[str, Any]] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def prompts(self) -> list[str]:
        return [body["messages"][0]["content"] for body in self.requests]

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: Scripted

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(body)
        if "response_format" in body and not self.server.structured:
            refuse(400)(self)
            return
        reply = self.server.reply(body["messages"][0]["content"])
        if callable(reply):
            reply(self)
        elif reply is None:
            refuse(400)(self)
        else:
            send(self, completion(reply))

    def log_message(self, *_: object) -> None:
        """Quiet."""


def completion(text: str) -> bytes:
    """The body of a reply that says `text`."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "stop",
    }
    answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "judge"}
    return json.dumps({**answer, "choices": [choice]}).encode()


def send(
    handler: Any,
    content: bytes,
    *,
    status: int = 200,
    length: int | None = None,
    retry_after: str | None = None,
) -> None:
    """Sends a body whose header announces `length` bytes."""
    handler.send_response(status)
    if retry_after is not None:
        handler.send_header("Retry-After", retry_after)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(content) if length is None else length))
    handler.end_headers()
    handler.wfile.write(content)


def refuse(status: int, *, retry_after: str | None = None) -> Callable[[Any], None]:
    """A reply with an error's status."""
    body = b'{"error": {"message": "no"}}'
    return lambda handler: send(handler, body, status=status, retry_after=retry_after)


def drop(handler: Any) -> None:
    """Ends the connection in the middle of a reply."""
    send(handler, completion("five")[:20], length=1000)
    handler.connection.shutdown(socket.SHUT_RDWR)


def stall(handler: Any) -> None:
    """Says nothing until the test is over."""
    handler.server.released.wait(60)


def drip(handler: Any) -> None:
    """Sends a byte now and then, so that no single wait is long, until the test is over."""
    with contextlib.suppress(OSError):
        handler.send_response(200)
        handler.end_headers()
        while not handler.server.released.wait(0.1):
            handler.wfile.write(b" ")


def flood(handler: Any) -> None:
    """Sends 64 MiB."""
    with contextlib.suppress(OSError):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(64):
            handler.wfile.write(b" " * (1 << 20))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    """A scripted judge, whose address is the judge's."""
    scripted = Scripted()
    thread = threading.Thread(target=scripted.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setenv("SOURCEWISE_JUDGE_URL", scripted.url)
    yield scripted
    scripted.released.set()
    scripted.shutdown()
    thread.join()
    scripted.server_close()
