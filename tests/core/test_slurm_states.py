"""What the Slurm plugin is told of a job's state, from what Slurm's commands print."""

import asyncio
import logging

import pytest
import snakemake_executor_plugin_slurm as plugin

from sourcewise.dag import slurm_states


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("7|CANCELLED by 1000\\n8|RUNNING\\n", {"7": "CANCELLED", "8": "RUNNING"}),
        ("7|OUT_OF_MEMORY\\n", {"7": "OUT_OF_MEMORY"}),
        ("", {}),
    ],
)
def test_a_state_is_its_first_word(
    printed: str, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin, "query_job_status", plugin.query_job_status)
    slurm_states.by_first_word()
    states, seconds = asyncio.run(
        plugin.query_job_status(f"printf '{printed}'", logging.getLogger())
    )
    assert states == expected
    assert seconds is not None


def test_a_command_that_fails_stays_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "query_job_status", plugin.query_job_status)
    slurm_states.by_first_word()
    assert asyncio.run(plugin.query_job_status("false", logging.getLogger())) == (None, None)
