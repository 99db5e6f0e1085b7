"""Groups of jobs that a cluster runs as one: which go together, and how one leaves that need not run.

Both replace what is internal to Snakemake: envs/workflow.lock pins the version.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def in_order() -> None:
    """Lets neighbours go together; to be called before the job graph is built.

    Snakemake takes the members of a set as they come: other shards at each round and in each run, so that
    a shard's second round waits for eight shards, and its third for those that these waited for.
    """
    from snakemake import dag
    from snakemake.common import group_into_chunks

    def chunks(n: int, components: Iterable[Any]) -> Iterable[tuple[Any, ...]]:
        return group_into_chunks(n, sorted(components, key=_first_output))

    dag.group_into_chunks = chunks


def _first_output(group: Any) -> str:
    return min(str(file) for job in group.jobs for file in job.output)


def is_ready(dag: Any, job: Any) -> bool:
    """Whether a job could run by itself, whatever others of its group wait for."""
    return job in dag.ready_jobs or (job in dag._group and dag._n_until_ready[job] == 0)


def leave(dag: Any, job: Any) -> bool:
    """Takes a job out of its group, if it is in one; whether the rest of the group is ready now."""
    group = dag._group.pop(job, None)
    if group is None:
        return False
    # Its hash is that of its jobs: first out of what knows it by that.
    dag._ready_jobs.discard(group)
    group.jobs -= {job}
    # Worked out from its jobs when they are asked for.
    group._toposorted = group._resources = group._scheduler_resources = None
    group._input = group._output = group._log = group._all_products = group._jobid = None
    if not group.jobs:
        return False
    group.finalize()
    ready = all(dag._ready(one) for one in group)
    if ready:
        dag._ready_jobs.add(group)
    return ready
