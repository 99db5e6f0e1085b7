"""States of Slurm jobs in the words that Snakemake's plugin knows.

It replaces what is internal to the plugin: envs/workflow.lock pins the version.
"""

from __future__ import annotations

from typing import Any


def by_first_word() -> None:
    """Lets the plugin see what ended a job; to be called before a run asks for states.

    Of a job that somebody cancelled sacct says who (`CANCELLED by 1000`). Plugin 2.8.0 knows the bare word
    only, and would wait for such a job for ever.
    """
    import snakemake_executor_plugin_slurm as plugin

    asked = plugin.query_job_status

    async def query(command: str, logger: Any) -> tuple[dict[str, str] | None, float | None]:
        states, seconds = await asked(command, logger)
        if states is not None:
            states = {job: state.partition(" ")[0] for job, state in states.items()}
        return states, seconds

    plugin.query_job_status = query
