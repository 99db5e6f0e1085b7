"""Judges against a real server: vLLM on loopback with a tiny random model, held to JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_qwen

from sourcewise.grading import endpoint
from sourcewise.grading.attempts import Attempt, Judged
from sourcewise.params.judge import Judge
from sourcewise.tables import Message
from sourcewise.verifiers import dialogue, science

KNOBS = Judge(model="judge", max_answer_chars=200, seconds=60, seed=7, task=None)
LONGEST = 4096  # tokens; this model's are bytes
START_SECONDS = 240
# Seeded prompts in chunks end the CPU build's engine, so none is cut: a batch holds all of them.
ARGUMENTS = [
    *("--served-model-name", "judge", "--host", "127.0.0.1", "--dtype", "float32"),
    *("--max-model-len", str(LONGEST), "--max-num-seqs", "16"),
    *("--max-num-batched-tokens", str(16 * LONGEST), "--no-enable-chunked-prefill"),
    "--enforce-eager",
]
ENVIRONMENT = {
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
}


class Server:
    """vLLM's own server in a process group of its own."""

    def __init__(self, folder: Path) -> None:
        model = tiny_qwen.build(
            folder / "model", hidden_size=64
        )  # its CPU kernels want heads of 32
        config = json.loads((model / "config.json").read_text())
        config["max_position_embeddings"] = LONGEST
        (model / "config.json").write_text(json.dumps(config))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        self.log = folder / "log"
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--model", str(model), "--port", str(port), *ARGUMENTS],
                env={**os.environ, **ENVIRONMENT},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Returns when it answers."""
        begin = time.monotonic()
        while True:
            try:
                urllib.request.urlopen(f"{self.address}/health", timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                late = time.monotonic() - begin > START_SECONDS
                if late or self.process.poll() is not None:
                    pytest.fail(f"the server does not start:\n{self.log.read_text()[-3000:]}")
                time.sleep(0.3)

    def end(self) -> None:
        """Ends it with all its processes."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("server"))
    try:
        started.wait()
        yield started
    finally:
        started.end()


@pytest.fixture(autouse=True)
def _judge(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCEWISE_JUDGE_URL", f"{server.address}/v1")


def row(category: str, answer: str, *, question: str = "?") -> Attempt:
    reference = json.dumps({"answer": "a cell"})
    turns = [Message("user", question)]
    return Attempt("0" * 32, 1, category, turns, reference, answer, "stop")


def essence(verdicts: list[Judged]) -> list[tuple[str, float | None, str, str]]:
    return [(one.status, one.score, one.detail, one.facts) for one in verdicts]


def test_a_tiny_judge_gives_ratings_or_contradicts_itself_and_says_the_same_again() -> None:
    rows = [row("science", f"tissue {number}") for number in range(24)]
    verdicts = list(science.score(rows, knobs=KNOBS))
    assert essence(list(science.score(rows, knobs=KNOBS))) == essence(verdicts)
    # The server holds the model to the schema, so every single reading is a rating.
    assert {one.status for one in verdicts} == {"scored", "judge_error"}
    for one in verdicts:
        assert one.status == "scored" or "contradicts itself" in one.detail
        assert one.score is None or 0 <= one.score <= 1


def test_dialogue_gets_three_ratings() -> None:
    rows = [row("dialogue", f"Hello {number}!") for number in range(8)]
    for one in dialogue.score(rows, knobs=KNOBS):
        assert one.status == "scored" or "contradicts itself" in one.detail
        assert all(name in one.detail for name in dialogue.SCALES)


def test_a_prompt_that_the_server_refuses_costs_only_its_own_row() -> None:
    fine = row("science", "tissue 4")
    long = dataclasses.replace(fine, messages=[Message("user", "word " * LONGEST)])
    verdicts = list(science.score([fine, long, fine], knobs=KNOBS))
    assert (verdicts[1].status, verdicts[1].score) == ("judge_error", None)
    assert "refuses the question: 400" in verdicts[1].detail
    assert essence(verdicts)[0] == essence(verdicts)[2]
    assert "refuses" not in verdicts[0].detail


def test_a_server_that_dies_is_no_verdict(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Comes last: the server is gone afterwards."""
    monkeypatch.setattr(endpoint, "FIRST_PAUSE", 0.01)
    verdicts = science.score(
        (row("science", f"tissue {number}") for number in range(200)), knobs=KNOBS
    )
    first = next(verdicts)
    server.end()
    rest = list(verdicts)
    assert first.status in ("scored", "judge_error")
    assert rest[-1].status == "infrastructure"
    assert {one.status for one in rest} <= {"scored", "judge_error", "infrastructure"}
    assert all(one.score is None for one in rest if one.status != "scored")
