"""Who is asked right now: what a job says of itself while it asks, and what status makes of it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sourcewise.dag import at_work, at_work_screen, measured
from sourcewise.dag.at_work import Asked, Round
from sourcewise.engines.contract import Completion
from sourcewise.params.root import Params, parse, read_yaml
from sourcewise.tables import Message, Query, Verdict, write
from sourcewise.text import query_id
from sourcewise.under_way import FOLDER, State, UnderWay, read

ROOT = Path(__file__).parents[2]


class Clock:
    """Seconds that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working copy as far as jobs are concerned."""
    monkeypatch.chdir(tmp_path)
    measured.column.cache_clear()
    Path(".snakemake").mkdir()
    return tmp_path


def state(**fields: Any) -> State:
    given = {"role": "teacher", "name": "steps", "attempt": 1, "shard": "s-0000"}
    return State(**{**given, "wanted": 1000, "found": 100, **fields})


def answers(n: int, tokens: int = 50, reason: str = "stop") -> list[Completion]:
    return [Completion("", reason, tokens, 10)] * n


def only_file() -> State:
    [path] = FOLDER.glob("*.json")
    found = read(path)
    assert found is not None
    return found


def test_the_rate_is_that_of_the_last_minutes_and_gives_the_time_that_is_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    with UnderWay(state(), "generate steps", clock=clock) as job:
        # A slow start, forgotten after five minutes.
        clock.now += 300
        job.add(answers(100))
        for _ in range(30):
            clock.now += 10
            job.add(answers(10))
        assert job.state.answers_per_second == pytest.approx(1.0)
        assert job.state.tokens_per_second == pytest.approx(50.0)
        line = "500 of 1,000 attempts (50 %), 50 tokens/s, about 8 min left"
        assert job.line() == f"generate steps: {line}"
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 6, "one line a minute, and one after the pause"
    assert said[-1] == f"generate steps: {line}"


def test_a_line_says_how_many_were_cut_off_or_too_long() -> None:
    with UnderWay(state(), "x", clock=Clock()) as job:
        job.add([*answers(6), *answers(2, reason="length"), *answers(2, reason="prompt_too_long")])
        assert "20.0 % cut off, 2 too long" in job.line()


def test_the_file_says_what_became_of_the_job(folder: Path) -> None:
    with UnderWay(state(), "x", clock=Clock()) as job:
        assert (only_file().state, only_file().pid) == ("running", os.getpid())
        job.add(answers(3))
    done = only_file()
    assert (done.state, done.asked, done.tokens, done.prompt_tokens) == ("done", 3, 150, 30)
    with pytest.raises(OSError, match="no more"), UnderWay(state(), "x", clock=Clock()):
        raise OSError("no more")
    assert only_file().state == "failed"
    assert [path.name for path in FOLDER.iterdir()] == ["teacher.steps.1.s-0000.json"]


def test_the_file_is_replaced_at_most_every_other_second() -> None:
    clock, written = Clock(), []
    with UnderWay(state(), "x", clock=clock) as job:
        for _ in range(100):
            clock.now += 0.125
            job.add(answers(1))
            written.append(only_file().asked)
    assert sorted(set(written)) == [0, 16, 32, 48, 64, 80, 96]


def test_outside_of_a_working_copy_no_file_is_written(folder: Path) -> None:
    Path(".snakemake").rmdir()
    with UnderWay(state(), "x", clock=Clock()) as job:
        job.add(answers(1))
    assert list(folder.iterdir()) == []


def test_a_file_of_another_version_is_none(folder: Path) -> None:
    FOLDER.mkdir(parents=True)
    path = FOLDER / "x.json"
    path.write_text('{"role": "teacher", "colour": "red"}')
    assert read(path) is None
    path.write_text('{"role": "tea')
    assert read(path) is None


KILLED = """
import sys, time
sys.path.insert(0, sys.argv[1])
from test_under_way import answers, state
from sourcewise.under_way import UnderWay
clock = iter(range(0, 100, 5))
with UnderWay(state(), "x", clock=lambda: next(clock)) as job:
    job.add(answers(7))
    print("asked", flush=True)
    time.sleep(60)
"""


def test_a_killed_job_is_seen_and_what_it_paid_is_not_forgotten(params: Params) -> None:
    job = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert job.stdout is not None
    assert job.stdout.readline() == "asked\n"
    [asked] = at_work.look(params)
    assert (asked.jobs, asked.troubles) == (1, [])
    job.kill()
    job.wait()
    [asked] = at_work.look(params)
    assert (asked.jobs, asked.tokens) == (0, 350)
    [trouble] = asked.troubles
    assert trouble.startswith("shard s-0000, attempt 1: ended without finishing since 20")
    with UnderWay(state(), "x", clock=Clock()) as again:
        again.add(answers(2))
    assert only_file().tokens == 350 + 100
    assert at_work.look(params) == []


def keep(one: State) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{one.role}.{one.name}.{one.attempt}.{one.shard}.json"
    path.write_text(json.dumps(dataclasses.asdict(one)))


@pytest.fixture
def params() -> Params:
    content = read_yaml(ROOT / "params.yaml")
    content["distill"] |= {"max_attempts": 3, "stop_score": 0.9}
    hosted = {"prompt_million": 1.0, "completion_million": 10.0}
    own = {"gpus": 8, "gpu_hour": 2.0}
    content["rates"] = {"currency": "USD", "teachers": {"steps": hosted, "terse": own}}
    return parse(content, name="params.yaml")


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())


def test_a_silent_job_of_another_machine_is_named_after_five_minutes(params: Params) -> None:
    keep(state(host="node7", updated=now()))
    assert at_work.look(params)[0].jobs == 1
    keep(state(host="node7", updated="2026-01-01T00:00:00+00:00"))
    [asked] = at_work.look(params)
    assert asked.jobs == 0
    assert asked.troubles == ["shard s-0000, attempt 1: silent on node7 since 2026-01-01 00:00 UTC"]


def test_what_is_left_follows_from_the_corpus_and_the_accepted_shares(params: Params) -> None:
    queries = [
        Query(query_id(turns), "s", "math", turns, "{}", "MIT")
        for turns in ([Message("user", f"{n}?")] for n in range(100))
    ]
    for shard in range(2):
        part = queries[50 * shard : 50 * shard + 50]
        write(Path(f"data/queries/corpus/s-000{shard}.parquet"), Query, part)
    judged = [
        Verdict(query.query_id, 1, "scored", float(n < 30), "", "math", "1")
        for n, query in enumerate(queries[:50])
    ]
    write(Path("data/distill/steps/round-1/s-0000.verdicts.parquet"), Verdict, judged)
    # Attempt 1 is done in the first shard and half done in the second, and attempt 2 has begun.
    keep(state(wanted=50, found=0, asked=50, state="done", tokens=5000, prompt_tokens=500))
    running = {"updated": now(), "answers_per_second": 0.5, "tokens_per_second": 50.0}
    keep(state(shard="s-0001", wanted=50, found=5, asked=20, tokens=2000, **running))
    keep(state(attempt=2, wanted=20, found=0, asked=4, tokens=400, prompt_tokens=40, **running))
    [asked] = at_work.look(params)
    assert asked.rounds == [Round(1, 50, 30)]
    assert (asked.jobs, asked.tokens, asked.tokens_per_second) == (2, 7400, 100.0)
    # 75 of attempt 1, 4 of attempt 2; 100 + 40 + 16 are expected at 60 % accepted each time.
    assert (asked.done, asked.expected) == (79, 156)
    assert asked.left == pytest.approx(77)
    assert asked.cost == pytest.approx((540 * 1.0 + 7400 * 10.0) / 1e6)


def test_hardware_of_ones_own_is_priced_by_its_time(params: Params) -> None:
    keep(state(name="terse", seconds=1800.0, updated=now()))
    [asked] = at_work.look(params)
    assert asked.cost == pytest.approx(8 * 0.5 * 2.0)


def test_the_block_of_the_screen() -> None:
    one = Asked("teacher", "r1", 3, 79, 156, 7_400_000, 540, 1532.4, 0.005, 34.2, "USD")
    one.rounds = [Round(1, 50, 30), Round(2, 10, 3)]
    one.troubles = ["shard s-0003, attempt 1: ended without finishing"]
    console = Console(width=110, record=True, highlight=False)
    console.print(at_work_screen.block([one, Asked("student", "base", 1, 5, 10)]))
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert lines[1].split() == (
        [
            "teacher",
            "r1",
            "3",
            "79",
            "of",
            "≈",
            "156",
            "1,532",
            "≈",
            "4.3",
            "h",
            "7.4",
            "M",
            "tokens,",
            "34.20",
            "USD",
        ]
    )
    assert lines[2].split() == ["student", "base", "1", "5", "of", "10", "0", "–", "0", "tokens"]
    assert lines[3] == "r1: 33 accepted: attempt 1 60.0 % of 50 · attempt 2 30.0 % of 10"
    assert lines[4] == "! r1, shard s-0003, attempt 1: ended without finishing"
