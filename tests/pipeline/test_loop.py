"""The loop under faults: whatever happens on the way, the table is that of an undisturbed run.

`sourcewise generate` as the rule calls it, with a teacher on loopback whose answer is a function of the
question and the seed and holds words of the question, so that a swapped answer is seen.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from served import records, teacher
from sourcewise.ledger import Ledger, Record
from sourcewise.tables import Message, Query, Response, read, write
from sourcewise.text import query_id
from teacher_server import TeacherServer, question, serving, words_of

SEED, IN_FLIGHT, KILLS = 7, 8, 20
FINAL = [question(number) for number in range(180)]


class Loop:
    """A folder with a ledger, a shard of questions and the table of its answers."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.ledger, self.table = folder / "ledger", folder / "responses.parquet"
        self._environment = {
            **os.environ,
            "SOURCEWISE_SERVER_URLS": url,
            "SOURCEWISE_SERVER_CONCURRENCY": str(IN_FLIGHT),
        }
        folder.mkdir(exist_ok=True)

    def ask(self, prompts: Sequence[str], before: str = "") -> subprocess.Popen[str]:
        """Starts the stage on these questions; `before` is run by the shell that becomes it."""
        shard = self.folder / "0000.parquet"
        asked = [(prompt, [Message("user", prompt)]) for prompt in prompts]
        rows = [
            Query(query_id(turns), "q", "instruction", turns, "{}", "MIT") for _, turns in asked
        ]
        write(shard, Query, rows)
        given = {"name": "words", "teacher": json.dumps(teacher("words")), "seed": str(SEED)}
        given |= {"attempt": "1", "stop-score": "null", "futility": "null"}
        given |= {"queries": str(shard), "ledger": str(self.ledger), "out": str(self.table)}
        words = [word for name, value in given.items() for word in (f"--{name}", value)]
        stage = [sys.executable, "-m", "sourcewise", "generate", "--verdicts", *words]
        return subprocess.Popen(
            ["bash", "-c", f'{before}\nexec "$@"', "bash", *stage],
            env=self._environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, prompts: Sequence[str]) -> str:
        """Runs the stage to its end; what it said."""
        running = self.ask(prompts)
        said = running.communicate()[1]
        assert running.returncode == 0, said
        return said

    def check(self) -> None:
        """The ledger is whole, holds no attempt twice, and each answer is one to its own question."""
        command = [sys.executable, "-m", "sourcewise", "ledger", "check", str(self.ledger)]
        checked = subprocess.run(command, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout
        assert ", 0 stand there again: whole" in checked.stdout
        questions = {query_id([Message("user", prompt)]): prompt for prompt in FINAL}
        answers = list(read(self.table, Response))
        assert len(answers) == len(FINAL)
        for answer in answers:
            words = answer.text.partition("<answer>")[2].removesuffix("</answer>").split()
            assert words == words_of(questions[answer.query_id])[: len(words)]


@pytest.fixture(scope="module")
def server() -> Iterator[TeacherServer]:
    with serving(delay=0.02) as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(server: TeacherServer, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The table of a run that nothing disturbs."""
    loop = Loop(tmp_path_factory.mktemp("loop") / "undisturbed", server.url)
    loop.finish(FINAL)
    loop.check()
    return loop.table.read_bytes()


def test_kill_9_under_load_while_the_corpus_is_permuted_edited_and_grown(
    tmp_path: Path, server: TeacherServer, undisturbed: bytes
) -> None:
    loop, draw, start = (
        Loop(tmp_path / "killed", server.url),
        random.Random(3),
        len(server.requests),
    )
    for number in range(KILLS):
        prompts = FINAL[: 60 + 6 * number]
        draw.shuffle(prompts)
        edited = {draw.randrange(len(prompts)) for _ in range(3)}
        prompts = [
            question(place, kind="edited") if place in edited else prompt
            for place, prompt in enumerate(prompts)
        ]
        running = loop.ask(prompts)
        enough = len(server.requests) + draw.randrange(1, 2 * IN_FLIGHT)
        while len(server.requests) < enough and running.poll() is None:
            time.sleep(0.005)
        running.kill()
        running.wait()
    loop.finish(FINAL)
    loop.check()
    assert loop.table.read_bytes() == undisturbed
    # What a kill may cost is what was in flight, or came in since the last batch.
    asked = server.requests[start:]
    again = len(asked) - len(set(asked))
    assert again <= KILLS * 2 * IN_FLIGHT
    assert len(records(loop.ledger)) >= len(FINAL)


def test_a_full_disk_stops_the_run_and_costs_nothing_that_was_kept(
    tmp_path: Path, server: TeacherServer, undisturbed: bytes
) -> None:
    loop = Loop(tmp_path / "full", server.url)
    running = loop.ask(FINAL, before="ulimit -f 12")  # KiB
    said = running.communicate()[1]
    assert running.returncode != 0
    assert "attempts not kept" in said
    assert f"{loop.ledger}/0000.ledger" in said
    kept = len(records(loop.ledger))
    assert 0 < kept < len(FINAL)
    start = len(server.requests)
    loop.finish(FINAL)
    loop.check()
    assert loop.table.read_bytes() == undisturbed
    assert len(server.requests) - start == len(FINAL) - kept


def test_a_second_writer_is_refused_with_the_pid_of_the_first(
    tmp_path: Path, server: TeacherServer, undisturbed: bytes
) -> None:
    loop = Loop(tmp_path / "two", server.url)
    first = loop.ask(FINAL)
    lock = loop.ledger / ".0000.ledger.lock"
    while not lock.exists() or not lock.read_text():
        assert first.poll() is None
        time.sleep(0.005)
    second = loop.ask(FINAL)
    said = second.communicate()[1]
    assert second.returncode != 0
    assert f"is held by process {first.pid}" in said
    first.communicate()
    assert first.returncode == 0
    loop.check()
    assert loop.table.read_bytes() == undisturbed


def test_a_clock_that_was_set_back_changes_nothing(
    tmp_path: Path, server: TeacherServer, undisturbed: bytes
) -> None:
    loop = Loop(tmp_path / "clock", server.url)
    loop.finish(FINAL[::2])
    earlier = [replace(one, created="2099-01-01T00:00:00+00:00") for one in records(loop.ledger)]
    (loop.ledger / "0000.ledger").unlink()
    with Ledger(loop.ledger).writer("0000") as segment:
        segment.append(earlier)
    start = len(server.requests)
    loop.finish(FINAL)
    loop.check()
    assert loop.table.read_bytes() == undisturbed
    assert len(server.requests) - start == len(FINAL) - len(earlier)
    made = [one.created for _, one in Ledger(loop.ledger).scan() if isinstance(one, Record)]
    assert max(made[: len(earlier)]) > max(made[len(earlier) :])
