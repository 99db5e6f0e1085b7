"""What lets Snakemake 9.27 cost the same per job at ten jobs and at ten thousand.

In each round of scheduling it looks at every ready job and at the inputs of every job that remains, and its
limit on job starts makes each round ask for another one a second later, so that rounds pile up: at
thousands of short jobs a run schedules instead of working. `simplify` replaces both on the scheduler of one
run. When it builds the job graph it asks the same question once per edge; `ask_once` keeps the answers.
"""

from __future__ import annotations

import functools
import gc
import threading
from typing import Any


def ask_once() -> None:
    """Makes one reading of the Snakefile cheap; to be called before the job graph is built.

    Half a million small objects live as long as the graph: looking for garbage among them takes a fifth of
    a dry run. Which rule makes a file does not change while the graph is built (there are no checkpoints).
    """
    from snakemake import common, rules
    from snakemake.dag import DAG

    gc.freeze()  # what is imported stays
    gc.set_threshold(1_000_000, 50, 100)
    common.get_function_params = functools.cache(common.get_function_params)
    # Imported by name, and asked twice for each job.
    rules.get_function_params = common.get_function_params
    ask = DAG.file2jobs

    async def file2jobs(self: Any, file: Any, wildcards_dict: Any = None) -> Any:
        # On the graph itself: a process may build several, as `sourcewise status` and tests do.
        known = vars(self).setdefault("_jobs_by_file", {})
        if file not in known:
            known[file] = await ask(self, file, wildcards_dict)
        return known[file]

    DAG.file2jobs = file2jobs


def simplify(scheduler: Any) -> None:
    """Makes the rounds of a scheduler cheap; to be called when a run starts.

    On this machine a round takes the ready jobs that fit, those of the highest priority first: the
    pipeline has no temporary files, whose removal Snakemake's own choice is about. Elsewhere the
    choice and the limit on starts stay, without the rounds that pile up, and jobs are asked after steadily.
    """
    if scheduler.workflow.local_exec:
        scheduler.job_rate_limiter = None
        scheduler.job_selector = lambda ready: _that_fit(scheduler, ready)
    else:
        scheduler._schedule_reevalutation = _OneTimer(scheduler._open_jobs.release).start
        settings = scheduler.workflow.executor_settings
        if seconds := getattr(settings, "init_seconds_before_status_checks", None):
            _ask_steadily(scheduler._executor, seconds)


def _ask_steadily(executor: Any, seconds: float) -> None:
    """Asks Slurm every so many seconds which jobs ended.

    The plugin waits ten seconds longer after each time that none did, up to three minutes, and a chain of
    short jobs loses that at every link; the question is one call for all jobs.
    """
    kind = type(executor)
    pause = property(lambda self: seconds, lambda self, longer: None)
    executor.__class__ = type(kind.__name__, (kind,), {"next_seconds_between_status_checks": pause})


def _that_fit(scheduler: Any, ready: set[Any]) -> list[Any]:
    """The ready jobs that fit together into what is free, which they then occupy."""
    chosen: list[Any] = []
    with scheduler._lock:
        free = dict(scheduler.resources)
        for job in sorted(ready, key=lambda job: -job.priority):
            if free["_cores"] < 1:
                break
            scheduler.validate_job(job)
            needs = job.scheduler_resources
            if all(needs.get(name, 0) <= left for name, left in free.items()):
                chosen.append(job)
                free = {name: left - needs.get(name, 0) for name, left in free.items()}
        scheduler.update_available_resources(chosen)
    return chosen


class _OneTimer:
    """A call after a delay; another one that is asked for before that falls together with it."""

    def __init__(self, call: Any) -> None:
        self._call, self._guard, self._waiting = call, threading.Lock(), False

    def start(self, delay: float) -> None:
        """Asks for the call."""
        with self._guard:
            if self._waiting:
                return
            self._waiting = True
        timer = threading.Timer(delay, self._fire)
        timer.daemon = True
        timer.start()

    def _fire(self) -> None:
        with self._guard:
            self._waiting = False
        self._call()
