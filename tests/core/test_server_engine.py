"""Engine server, against a small real server on loopback that fails as real ones do."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sourcewise.engines import server
from sourcewise.engines.contract import Batch, Completion, EngineError, Request
from sourcewise.params.base import Sampling
from sourcewise.tables import Message

DROP, GARBAGE, CUT = "drop the connection", "malformed JSON", "fewer bytes than promised"


class Server(ThreadingHTTPServer):
    """Answers with the question in capitals; `troubles` (status or word) come first, one a request."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.troubles: list[int | str] = []
        self.message: dict[str, Any] = {}
        self.error: dict[str, Any] = {"message": "no"}
        self.delay = 0.0
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.busy = self.most_busy = 0
        self.guard = threading.Lock()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, *_: object) -> None:
        """A client that left is no news."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        ours = self.server
        with ours.guard:
            ours.requests.append(body)
            ours.headers.append({**dict(self.headers), "path": self.path})
            ours.busy += 1
            ours.most_busy = max(ours.most_busy, ours.busy)
            trouble = ours.troubles.pop(0) if ours.troubles else None
        time.sleep(ours.delay)
        with ours.guard:
            ours.busy -= 1
        if trouble == DROP:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif isinstance(trouble, int):
            self.reply(trouble, json.dumps({"error": ours.error}).encode())
        elif trouble == GARBAGE:
            self.reply(200, b'{"choices": [')
        else:
            self.answer(body, promise=10 if trouble == CUT else 0)

    def answer(self, body: dict[str, Any], promise: int) -> None:
        message = {"role": "assistant", "content": body["messages"][-1]["content"].upper()}
        choice = {"message": message | self.server.message, "finish_reason": "stop"}
        usage = {"completion_tokens": 3, "prompt_tokens": 2}
        self.reply(200, json.dumps({"choices": [choice], "usage": usage}).encode(), promise)

    def reply(self, status: int, body: bytes, promise: int = 0) -> None:
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(body) + promise))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = bool(promise)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server() as running:
        monkeypatch.setenv("SOURCEWISE_SERVER_URLS", running.url)
        monkeypatch.delenv("SOURCEWISE_SERVER_KEY", raising=False)
        yield running
        running.shutdown()


def request(number: int) -> Request:
    messages = [Message("user", f"question {number}")]
    return Request(f"k{number}", f"q{number}", 1, messages, 100 + number, 50)


def answers(n: int, system: str | None = None) -> dict[str, Completion]:
    sampling = Sampling(temperature=0.6, top_p=0.95, max_tokens=50)
    batches = server.complete(
        [request(number) for number in range(n)],
        model="r1",
        revision="main",
        sampling=sampling,
        system=system,
    )
    got = [(asked.key, completion) for batch in batches for asked, completion in batch]
    assert len({key for key, _ in got}) == len(got), "each request is answered once"
    return dict(got)


def test_each_answer_comes_back_with_its_own_request(endpoint: Server) -> None:
    assert answers(40) == {
        f"k{number}": Completion(f"QUESTION {number}", "stop", 3, 2) for number in range(40)
    }


def test_the_request_says_all_that_decides_the_answer(
    endpoint: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCEWISE_SERVER_KEY", "secret")
    answers(1, system="be brief")
    assert endpoint.requests == [
        {
            "model": "r1",
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "question 0"},
            ],
            "temperature": 0.6,
            "top_p": 0.95,
            "max_tokens": 50,
            "seed": 100,
            "n": 1,
            "stream": False,
        }
    ]
    assert endpoint.headers[0]["path"] == "/v1/chat/completions"
    assert endpoint.headers[0]["Authorization"] == "Bearer secret"


def test_reasoning_that_comes_apart_is_put_back(endpoint: Server) -> None:
    endpoint.message = {"reasoning_content": "let me see", "content": "42"}
    assert answers(1)["k0"].text == "<think>let me see</think>42"


@pytest.mark.parametrize("trouble", [429, 500, 503, DROP, GARBAGE, CUT])
def test_a_passing_trouble_is_tried_again(endpoint: Server, trouble: int | str) -> None:
    endpoint.troubles = [trouble]
    assert answers(3).keys() == {"k0", "k1", "k2"}
    assert len(endpoint.requests) == 4


def test_a_refused_request_ends_the_job_and_is_not_repeated(endpoint: Server) -> None:
    endpoint.troubles, endpoint.error = [400], {"message": "temperature is out of range"}
    with pytest.raises(EngineError, match=r"query q0: http.*: 400 .*temperature is out of range"):
        answers(1)
    assert len(endpoint.requests) == 1


def test_what_is_in_flight_when_another_is_refused_is_kept(endpoint: Server) -> None:
    kept: Batch = []
    endpoint.delay = 0.02
    with pytest.raises(EngineError, match="401"):
        for number, batch in enumerate(
            server.complete(
                [request(number) for number in range(400)],
                model="r1",
                revision="main",
                sampling=Sampling(temperature=1, top_p=1, max_tokens=5),
                system=None,
            )
        ):
            kept += batch
            if number == 0:
                endpoint.troubles = [401]
    assert len(kept) == len(endpoint.requests) - 1 < 399


def test_a_server_that_stays_down_is_given_up_with_its_last_words(endpoint: Server) -> None:
    endpoint.troubles, endpoint.error = [503] * server.TRIES, {"message": "loading model"}
    with pytest.raises(EngineError, match=f"given up after {server.TRIES} tries.*loading model"):
        answers(1)
    assert len(endpoint.requests) == server.TRIES


def test_a_prompt_that_does_not_fit_is_an_outcome_and_no_crash(endpoint: Server) -> None:
    endpoint.troubles, endpoint.error = [400], {"code": "context_length_exceeded"}
    assert Counter(one.finish_reason for one in answers(2).values()) == {
        "prompt_too_long": 1,
        "stop": 1,
    }


def test_addresses_share_the_load_and_a_dead_one_is_survived(
    endpoint: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
    with Server() as second:
        listed = f"{endpoint.url}, {second.url}/, {dead}"
        monkeypatch.setenv("SOURCEWISE_SERVER_URLS", listed)
        assert len(answers(60)) == 60
        assert min(len(endpoint.requests), len(second.requests)) >= 20
        second.shutdown()


def test_requests_in_flight_are_bounded(endpoint: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCEWISE_SERVER_CONCURRENCY", "5")
    endpoint.delay = 0.02
    assert len(answers(40)) == 40
    assert endpoint.most_busy == 5


@pytest.mark.parametrize(
    ("urls", "message"),
    [("", "set SOURCEWISE_SERVER_URLS"), ("localhost:8000", "is not an http")],
)
def test_without_a_usable_address_the_error_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, urls: str, message: str
) -> None:
    monkeypatch.setenv("SOURCEWISE_SERVER_URLS", urls)
    with pytest.raises(EngineError, match=message):
        answers(1)
