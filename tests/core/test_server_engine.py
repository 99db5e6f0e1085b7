"""Engine server, against a small real server on loopback that fails as real ones do."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sourcewise.engines import server
from sourcewise.engines.contract import Batch, Completion, EngineError, Request
from sourcewise.params.base import Sampling
from sourcewise.tables import Message

DROP, GARBAGE, CUT = "drop the connection", "malformed JSON", "fewer bytes than promised"
STALL, TWO, NONE = "no reply for a minute", "two choices", "no choice"
UTF8, UNCOUNTED, OTHERS = "half a character", "no token counts", "the answer to another request"
NO_HTTP, CHUNKED = "no HTTP", "in chunks"
UNUSABLE = [DROP, GARBAGE, CUT, TWO, NONE, UTF8, UNCOUNTED, OTHERS, NO_HTTP]


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
        self.models: list[str] = []
        self.stalled = threading.Event()
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

    def do_GET(self) -> None:
        found: dict[str, Any] = {}
        if self.server.models and self.path == "/v1/models":
            found = {"data": [{"id": name, "owned_by": "vllm"} for name in self.server.models]}
        elif self.server.models and self.path == "/version":
            found = {"version": "0.32.0"}
        self.reply(200 if found else 404, json.dumps(found).encode())

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
        elif trouble == STALL:
            ours.stalled.wait(60)
        elif trouble == GARBAGE:
            self.reply(200, b'{"choices": [')
        elif trouble == NO_HTTP:
            self.close_connection = True
            self.wfile.write(b"220 mail ready\r\n\r\n")
        else:
            self.answer(body, str(trouble))

    def answer(self, body: dict[str, Any], trouble: str) -> None:
        """The right answer, or one that `trouble` has spoilt."""
        message = {"role": "assistant", "content": body["messages"][-1]["content"].upper()}
        choice = {"message": message | self.server.message, "finish_reason": "stop"}
        usage = {"completion_tokens": 3, "prompt_tokens": 2}
        found: dict[str, Any] = {"choices": [choice], "usage": usage}
        found["choices"] *= {TWO: 2, NONE: 0}.get(trouble, 1)
        if trouble == UNCOUNTED:
            del found["usage"]
        # vLLM takes a request's name over.
        own = str(self.headers["X-Request-Id"])
        found["id"] = f"chatcmpl-{own[:-4] + 'beef' if trouble == OTHERS else own}"
        text = json.dumps(found, ensure_ascii=False).encode()
        if trouble == UTF8:
            text = text.replace(b"QUESTION", b"QUESTION \xe2\x82")
        if trouble == CHUNKED:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for part in (text[:7], text[7:]):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
            return
        self.reply(200, text, 10 if trouble == CUT else 0)

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
        running.stalled.set()
        running.shutdown()


def request(number: int) -> Request:
    messages = [Message("user", f"question {number}")]
    return Request(key(number), f"q{number}", 1, messages, 100 + number, 50)


def key(number: int) -> str:
    return f"{number:032x}"


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
        key(number): Completion(f"QUESTION {number}", "stop", 3, 2) for number in range(40)
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
    assert answers(1)[key(0)].text == "<think>let me see</think>42"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between tries as short as they can be told apart."""
    monkeypatch.setattr(server, "FIRST_PAUSE", 0.01)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("trouble", [429, 500, 503, *UNUSABLE, STALL])
def test_after_a_passing_trouble_the_answers_are_those_of_an_undisturbed_run(
    endpoint: Server, monkeypatch: pytest.MonkeyPatch, trouble: int | str
) -> None:
    monkeypatch.setenv("SOURCEWISE_SERVER_SECONDS", "0.5")
    undisturbed = answers(6)
    endpoint.requests, endpoint.troubles = [], [trouble, trouble]
    assert answers(6) == undisturbed
    assert len(endpoint.requests) == 8


@pytest.mark.usefixtures("hasty")
def test_bursts_of_every_trouble_at_once_lose_and_swap_nothing(
    endpoint: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "TRIES", 40)
    undisturbed = answers(120)
    endpoint.troubles = [429, 500, *UNUSABLE] * 15
    random.Random(1).shuffle(endpoint.troubles)
    assert answers(120) == undisturbed


def test_a_reply_in_chunks_is_a_reply(endpoint: Server) -> None:
    endpoint.troubles = [CHUNKED] * 3
    assert answers(3) == {
        key(number): Completion(f"QUESTION {number}", "stop", 3, 2) for number in range(3)
    }


def test_a_reply_for_another_request_is_named_when_it_is_all_there_is(
    endpoint: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "TRIES", 2)
    endpoint.troubles = [OTHERS] * 2
    with pytest.raises(EngineError, match=r"query q0: given up after 2 tries.*answers request"):
        answers(1)


def test_a_model_that_is_not_served_is_named_with_what_is(endpoint: Server) -> None:
    endpoint.models = ["deepseek-r1", "qwen3"]
    with pytest.raises(EngineError, match=r"http.* does not serve 'r1', but deepseek-r1, qwen3"):
        answers(1)
    assert endpoint.requests == []


def test_the_ledger_learns_who_serves(endpoint: Server) -> None:
    answers(1)
    assert server.version() == "server"
    endpoint.models = ["r1"]
    answers(1)
    assert server.version() == "server (vllm 0.32.0)"


def test_an_address_that_keeps_failing_is_asked_rarely(
    endpoint: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server() as broken:
        broken.troubles = [503] * 1000
        monkeypatch.setenv("SOURCEWISE_SERVER_URLS", f"{broken.url},{endpoint.url}")
        monkeypatch.setenv("SOURCEWISE_SERVER_CONCURRENCY", "4")
        monkeypatch.setattr(server, "FIRST_PAUSE", 0.01)
        assert len(answers(200)) == 200
        assert len(broken.requests) < 20
        broken.shutdown()


def test_requests_are_taken_only_as_there_is_room(
    endpoint: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCEWISE_SERVER_CONCURRENCY", "4")
    taken = []

    def requests() -> Iterator[Request]:
        for number in range(100):
            taken.append(number)
            yield request(number)

    sampling = Sampling(temperature=1, top_p=1, max_tokens=5)
    endpoint.delay = 0.05
    batches = server.complete(
        requests(),  # type: ignore[arg-type]
        model="r1",
        revision="main",
        sampling=sampling,
        system=None,
    )
    got = len(next(batches))
    # While nobody takes what was answered, nothing more is asked.
    time.sleep(0.3)
    assert len(taken) <= got + 4
    assert len(endpoint.requests) <= got + 4
    batches.close()  # type: ignore[attr-defined]


def test_who_stops_early_leaves_no_connection(endpoint: Server) -> None:
    sampling = Sampling(temperature=1, top_p=1, max_tokens=5)
    endpoint.delay = 0.02
    before = set(Path("/proc/self/fd").iterdir())
    batches = server.complete(
        [request(number) for number in range(50)],
        model="r1",
        revision="main",
        sampling=sampling,
        system=None,
    )
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    endpoint.stalled.wait(0.2)
    assert len(set(Path("/proc/self/fd").iterdir()) - before) == 0


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
