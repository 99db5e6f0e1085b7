"""A forecast before the run: its pilot is paid once, its intervals hold, a kill costs what was in flight."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from served import ATTEMPTS, SEED, TEACHER, answered, ledger, prompts, served
from sourcewise.forecasting import Forecast
from teacher_server import TeacherServer, loop, serving
from working_copy import Copy

PILOT, IN_FLIGHT = 8, 2
COMMAND = f"python -m sourcewise forecast --pilot {PILOT} --out data/raw/forecast.json"
LAST_ROUND = [
    f"data/distill/{TEACHER}/round-{ATTEMPTS}/words-{shard:04}.verdicts.parquet" for shard in (0, 1)
]
EXPECTED = loop(TEACHER, prompts(), SEED, 0.9, ATTEMPTS)


@pytest.fixture(scope="module")
def server() -> Iterator[TeacherServer]:
    """The teacher of this file, slow enough to be killed in the middle."""
    with pytest.MonkeyPatch.context() as patch, serving(delay=0.3) as running:
        patch.setenv("SOURCEWISE_SERVER_URLS", running.url)
        patch.setenv("SOURCEWISE_SERVER_CONCURRENCY", str(IN_FLIGHT))
        yield running


@pytest.fixture(scope="module")
def copy(server: TeacherServer, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy with a corpus, and nothing asked."""
    made = served(tmp_path_factory.mktemp("forecast") / "copy")
    assert "make the corpus first" in made.refused(COMMAND)
    made.call("snakemake --cores 2 -- queries")
    return made


def _killed_in_the_middle(copy: Copy, server: TeacherServer) -> None:
    pilot = subprocess.Popen(
        COMMAND.split(), cwd=copy.folder, env=copy.environment(), stderr=subprocess.DEVNULL
    )
    while len(server.requests) < 2 * IN_FLIGHT:
        assert pilot.poll() is None
        time.sleep(0.02)
    assert "another run works in this copy" in copy.refused(COMMAND)
    os.kill(pilot.pid, signal.SIGKILL)
    pilot.wait()


def _forecast(copy: Copy) -> Forecast:
    return Forecast.model_validate_json(Path(copy.folder, "data/raw/forecast.json").read_bytes())


def test_the_run_asks_only_what_the_pilot_did_not(copy: Copy, server: TeacherServer) -> None:
    _killed_in_the_middle(copy, server)
    said = copy.call(COMMAND)
    assert f"from {PILOT} of 16 queries" in said
    piloted = answered(copy)
    assert {request.query_id for request in piloted} < {one.query_id for one in EXPECTED}
    assert len({request.query_id for request in piloted}) == PILOT
    # Each pilot query went through the whole loop of the run, and no answer was bought again.
    assert piloted == {one for one in EXPECTED if one.query_id in {q.query_id for q in piloted}}
    assert set(ledger(copy).values()) == {1}
    twice = [request for request, n in Counter(server.requests).items() if n > 1]
    assert len(twice) <= IN_FLIGHT

    before = len(server.requests)
    first = _forecast(copy)
    copy.call(COMMAND)
    assert _forecast(copy).total == first.total
    assert len(server.requests) == before

    copy.call(f"snakemake --cores 2 -- {' '.join(LAST_ROUND)}")
    assert Counter(server.requests[before:]) == Counter(EXPECTED - piloted)


def test_the_intervals_hold_what_the_run_took(copy: Copy) -> None:
    found = _forecast(copy).teachers[TEACHER].total
    copy.call("python -m sourcewise forecast --pilot 0 --out data/raw/after.json")
    after = json.loads((copy.folder / "data/raw/after.json").read_text())["total"]
    assert after["attempts"]["value"] == len(EXPECTED)
    for name in ("attempts", "accepted", "completion_tokens", "prompt_tokens"):
        estimate, actual = getattr(found, name), after[name]
        # All is known, so nothing is left to chance.
        assert actual["low"] == actual["value"] == actual["high"]
        assert estimate.low <= actual["value"] <= estimate.high
    assert found.attempts.low < found.attempts.high


def test_a_wrong_name_is_one_line(copy: Copy) -> None:
    said = copy.refused(f"{COMMAND} --teacher nobody")
    assert said.strip() == "sourcewise forecast: --teacher nobody is no teacher; choose from words"
