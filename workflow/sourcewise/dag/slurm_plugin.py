"""How Snakemake's Slurm plugin asks which jobs have ended.

It replaces what is internal to plugin 2.8.0: envs/workflow.lock pins the version.
"""

from __future__ import annotations

from typing import Any


def mend() -> None:
    """Lets the plugin see what ended a job, and when; to be called before a run asks for states."""
    _know_a_state_by_its_first_word()
    _ask_steadily()


def _know_a_state_by_its_first_word() -> None:
    # Of a job that somebody cancelled sacct says who (`CANCELLED by 1000`). The plugin knows the bare word
    # only, and would wait for such a job for ever.
    import snakemake_executor_plugin_slurm as plugin

    asked = plugin.query_job_status

    async def query(command: str, logger: Any) -> tuple[dict[str, str] | None, float | None]:
        states, seconds = await asked(command, logger)
        if states is not None:
            states = {job: state.partition(" ")[0] for job, state in states.items()}
        return states, seconds

    plugin.query_job_status = query


def _ask_steadily() -> None:
    # The plugin waits 10 s longer after each answer without an end, up to 3 minutes: each job of the longest
    # chain would be followed up that much later than the profile says.
    import snakemake_executor_plugin_slurm as plugin

    def seconds(executor: Any) -> int:
        return int(executor.workflow.executor_settings.init_seconds_before_status_checks)

    def longer(executor: Any, wanted: int) -> None:
        pass

    plugin.Executor.next_seconds_between_status_checks = property(seconds, longer)
