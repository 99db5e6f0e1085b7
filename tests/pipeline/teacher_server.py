"""A teacher behind an OpenAI-compatible server on loopback: answers by rule, remembers every request.

A question asks for `WORDS` words. How many of them an answer holds is a function of the model's name, the
question and the seed alone, so that a test can say beforehand which score each attempt gets.
"""

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from sourcewise.ledger import attempt_seed
from sourcewise.tables import Message
from sourcewise.text import query_id

WORDS = 20
# Each threshold of the tests (0.8, 0.9, 0.95) parts these shares of the words.
HELD = (14, 16, 17, 18, 18, 19, 20, 20)


class Request(NamedTuple):
    """What was asked of whom: an attempt is known by its query and its seed."""

    model: str
    query_id: str
    seed: int


def question(number: int, *, kind: str = "") -> str:
    """Question `number`: a list of words, different from those of all other questions."""
    digest = hashlib.sha256(f"{kind}{number}".encode()).digest()
    # Words of one length hold each other only if they are equal.
    words = [f"{_syllable(digest[place])}{_syllable(place)}" for place in range(WORDS)]
    return f"Write a text number {number} with these words: {' '.join(words)}"


def _syllable(number: int) -> str:
    return "bdfgklmn"[number % 8] + "aeio"[number // 8 % 4] + "rst"[number % 3]


def words_of(prompt: str) -> list[str]:
    """The words that a question asks for."""
    return prompt.partition("words: ")[2].split()


def held(request: Request) -> int:
    """How many of the words the answer to a request holds."""
    text = f"{request.model}/{request.query_id}/{request.seed}"
    return HELD[hashlib.sha256(text.encode()).digest()[0] % len(HELD)]


def loop(model: str, prompts: Sequence[str], seed: int, stop: float, attempts: int) -> set[Request]:
    """The requests that a retry loop makes: each question until its score reaches `stop`."""
    asked = set()
    for prompt in prompts:
        identity = query_id([Message("user", prompt)])
        for attempt in range(1, attempts + 1):
            request = Request(model, identity, attempt_seed(seed, identity, attempt))
            asked.add(request)
            if held(request) / WORDS >= stop:
                break
    return asked


class TeacherServer(ThreadingHTTPServer):
    """Answers each request after `delay` seconds; `requests` are all that came in, in order."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, delay: float, address: tuple[str, int] = ("127.0.0.1", 0), handler: type | None = None
    ) -> None:
        super().__init__(address, handler or Handler)
        self.delay = delay
        self.requests: list[Request] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def take(self, request: Request) -> None:
        """Remembers a request and lets it wait for its answer."""
        self.requests.append(request)
        time.sleep(self.delay)

    def handle_error(self, *_: object) -> None:
        """A client that was killed is no news."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: TeacherServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        turns = [Message(**turn) for turn in body["messages"]]
        request = Request(body["model"], query_id(turns), body["seed"])
        self.server.take(request)
        words = words_of(turns[-1].content)
        self.reply(f"<think>{words[0]}?</think><answer>{' '.join(words[: held(request)])}</answer>")

    def reply(self, text: str) -> None:
        n_tokens = len(re.findall(r"\w+", text))
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"completion_tokens": n_tokens, "prompt_tokens": WORDS}
        body: dict[str, Any] = {"choices": [choice], "usage": usage}
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def serving(delay: float = 0.05) -> Iterator[TeacherServer]:
    """A server that runs as long as the block."""
    with TeacherServer(delay) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        try:
            yield server
        finally:
            server.shutdown()
