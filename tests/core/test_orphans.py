"""A job that outlived its run is ended by the next one, with all that it started; others are left alone."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sourcewise import orphans

JOB = """
import subprocess, sys, time
from sourcewise.orphans import at_work
with at_work():
    child = subprocess.Popen(["sleep", "60"])
    print(child.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test tells its jobs ends with it."""
    monkeypatch.setenv(orphans.FOLDER, "")


def start(environment: dict[str, str]) -> tuple[subprocess.Popen[str], int]:
    """A job with a child, once both work."""
    job = subprocess.Popen(
        [sys.executable, "-c", JOB], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert job.stdout is not None
    return job, int(job.stdout.readline())


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_job_and_what_it_started_end_when_the_next_run_begins(tmp_path: Path) -> None:
    assert orphans.end(tmp_path / "jobs") == []
    job, child = start(dict(os.environ))
    assert orphans.end(tmp_path / "jobs") == [job.pid]
    job.wait(10)
    assert not lives(child)
    assert list((tmp_path / "jobs").iterdir()) == []


def test_what_a_dead_job_left_behind_ends_nobody(tmp_path: Path) -> None:
    # The number of a process that ended may belong to another one by now.
    (tmp_path / f"{os.getpid()}@{socket.gethostname()}").touch()
    assert orphans.end(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_stage_called_by_hand_is_no_job_of_a_run(tmp_path: Path) -> None:
    orphans.end(tmp_path)
    by_hand = {key: value for key, value in os.environ.items() if key != orphans.FOLDER}
    job, child = start(by_hand)
    assert orphans.end(tmp_path) == []
    assert job.poll() is None
    for pid in (job.pid, child):
        os.kill(pid, 9)
    job.wait()


def test_a_job_on_another_machine_is_named_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphans.end(tmp_path)
    job, child = start(dict(os.environ))
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    with pytest.raises(RuntimeError, match=rf"process {job.pid} on .* still writes in this copy"):
        orphans.end(tmp_path)
    for pid in (job.pid, child):
        os.kill(pid, 9)
    job.wait()
