"""How the Slurm plugin asks for the states of jobs, and what it is told of what Slurm prints."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest
import snakemake_executor_plugin_slurm as plugin

from sourcewise.dag import slurm_plugin


@pytest.fixture(autouse=True)
def executor(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The plugin's executor as a run of Snakemake with the profile has it, mended."""
    monkeypatch.setattr(plugin, "query_job_status", plugin.query_job_status)
    executor = object.__new__(plugin.Executor)
    settings = SimpleNamespace(init_seconds_before_status_checks=20)
    executor.workflow = SimpleNamespace(executor_settings=settings)
    slurm_plugin.mend(executor)
    return executor


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("7|CANCELLED by 1000\\n8|RUNNING\\n", {"7": "CANCELLED", "8": "RUNNING"}),
        ("7|OUT_OF_MEMORY\\n", {"7": "OUT_OF_MEMORY"}),
        ("", {}),
    ],
)
def test_a_state_is_its_first_word(printed: str, expected: dict[str, str]) -> None:
    states, seconds = asyncio.run(
        plugin.query_job_status(f"printf '{printed}'", logging.getLogger())
    )
    assert states == expected
    assert seconds is not None


def test_a_command_that_fails_stays_a_failure() -> None:
    assert asyncio.run(plugin.query_job_status("false", logging.getLogger())) == (None, None)


def test_slurm_is_asked_as_often_as_the_profile_says(executor: Any) -> None:
    # As the plugin does where no job has ended.
    executor.next_seconds_between_status_checks += 10
    assert executor.next_seconds_between_status_checks == 20
