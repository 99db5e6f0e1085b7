"""How Snakemake's Slurm plugin starts jobs, and asks which have ended.

It replaces what is internal to plugin 2.8.0: envs/workflow.lock pins the version.
"""

from __future__ import annotations

from typing import Any


def mend(executor: Any) -> None:
    """Changes the plugin's executor of a run; to be called before its first job is submitted."""
    _know_a_state_by_its_first_word()
    executor.__class__ = _mended()


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


def _mended() -> type:
    import snakemake_executor_plugin_slurm as plugin

    class Executor(plugin.Executor):  # type: ignore[misc]
        """The plugin's executor, less idle before a job's work and after its end."""

        def get_job_args(self, job: Any, **given: Any) -> str:
            # The plugin's Snakemake in a job does nothing but start another by srun, which does the work: a
            # second and 165 MB for each job. It stays where a stage calls srun itself, since it takes out of
            # the environment what srun would read as wishes of the stage.
            arguments = super().get_job_args(job, **given)
            step = super().additional_general_args() if job.resources.get("mpi") else ""
            return f"{arguments} {step}"

        def additional_general_args(self) -> str:
            return ""

        @property
        def next_seconds_between_status_checks(self) -> int:
            # The plugin waits 10 s longer after each answer without an end, up to 3 minutes: each job of the
            # longest chain would be followed up that much later than the profile says.
            return int(self.workflow.executor_settings.init_seconds_before_status_checks)

        @next_seconds_between_status_checks.setter
        def next_seconds_between_status_checks(self, wanted: int) -> None:
            pass

    return Executor
