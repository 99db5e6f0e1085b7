"""Slurm jobs of a killed run where Slurm does not answer; where it does: tests/slurm."""

from pathlib import Path

import pytest

from sourcewise import slurm_jobs
from sourcewise.dag import running


@pytest.fixture(autouse=True)
def without_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_where_no_run_submitted_jobs_slurm_is_not_asked() -> None:
    assert slurm_jobs.end(running.SUBMITTED) == []
    running.take().close()


def test_no_run_begins_while_jobs_of_a_killed_one_may_still_write() -> None:
    running.take().close()
    running.submits("sourcewise_1")
    with pytest.raises(running.BusyError, match=f"squeue fails .*delete {running.SUBMITTED}"):
        running.take()


def test_a_run_that_ended_by_itself_leaves_no_jobs_to_ask_for() -> None:
    running.take().close()
    running.submits("sourcewise_1")
    running.submitted_all_ended()
    running.take().close()
