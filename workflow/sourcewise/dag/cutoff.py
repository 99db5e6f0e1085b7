"""Early cutoff: a job whose inputs came out the same as before is spared, in the middle of a run.

Snakemake decides before a run, and runs all that lies behind a stale job. Here a job is looked at again
when it becomes ready: if its parameters, its code, the set of its inputs and their contents are what its
outputs were made from, and those lie there untouched, it counts as finished. `dvc repro` does the same
between stages; so a refactored verifier that changes no verdict trains no student, in both tools. Of a
group that a cluster runs as one job only those members run that must.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any

from sourcewise.dag import grouping
from sourcewise.dag.contents import Contents
from sourcewise.dag.provenance import Trace
from sourcewise.dag.records import Store


class Cutoff:
    """Watches the jobs that finish in one run of Snakemake and spares those that need not run.

    It replaces `DAG.finish`, which is internal to Snakemake: envs/workflow.lock pins the version.
    """

    def __init__(self, workflow: Any, traces: dict[str, Trace], contents: Contents) -> None:
        self._workflow, self._traces, self._contents = workflow, traces, contents
        self._store = Store()
        self._finish_in_dag = workflow.dag.finish
        self.spared: list[Any] = []
        workflow.dag.finish = self._finish

    async def _finish(self, job: Any, update_checkpoint_dependencies: bool = True) -> bool:
        dag = self._workflow.dag
        new_ready = await self._finish_in_dag(job, update_checkpoint_dependencies)
        for finished in job if job.is_group() else [job]:
            for following in list(dag.depending[finished]):
                if grouping.is_ready(dag, following) and self._same(following):
                    new_ready |= grouping.leave(dag, following)
                    self._spare(following)
                    new_ready |= await self._finish(following, update_checkpoint_dependencies)
        return bool(new_ready)

    def _same(self, job: Any) -> bool:
        dag, records = self._workflow.dag, self._workflow.persistence
        traces = [self._traces.get(str(file)) for file in job.output]
        if not traces or _is_forced(dag, job):
            return False
        made_from = {trace.made_from if trace and trace.lies_there() else None for trace in traces}
        if None in made_from or len(made_from) > 1:
            return False
        if any(records.input_changed(job)) or any(records.code_changed(job)):
            return False
        if records.params_changed(job) or not records.has_metadata(job):
            return False
        return self._contents.digest(map(str, job.input)) == made_from.pop()

    def _spare(self, job: Any) -> None:
        # Its inputs are newer now: without new times the next run would think it stale.
        now = max(time.time_ns(), *(os.stat(file).st_mtime_ns for file in job.input))
        for file in map(str, job.output):
            trace = self._traces[file]
            self._store.touch(file, now)
            self._traces[file] = replace(trace, mtime_ns=now)
        self._contents.moved({file: self._traces[file].md5 for file in map(str, job.output)})
        self.spared.append(job)
        self._workflow.dag.register_running({job})
        self._workflow.scheduler.finished_jobs += 1


def _is_forced(dag: Any, job: Any) -> bool:
    """Whether a run was told to make it anew; the reason that Snakemake gives is silent behind a stale job."""
    by_rule = job.rule in dag.forcerules and job not in dag.omitforce
    return by_rule or not dag.forcefiles.isdisjoint(job.output)
