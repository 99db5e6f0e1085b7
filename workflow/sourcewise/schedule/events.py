"""Jobs on a cluster: each starts when what it needs has ended and its GPUs and cores are free."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

# What a job is called: anything that can be a key.
Name = Any


class Job(NamedTuple):
    """What a job waits for, holds and takes; `needs` that are no job of the schedule are there already."""

    seconds: float
    needs: tuple[Name, ...] = ()
    gpus: int = 0
    cores: int = 0


class Machines(NamedTuple):
    """What there is, and how many jobs are at work at most."""

    gpus: float = math.inf
    cores: float = math.inf
    jobs: float = math.inf


class Placed(NamedTuple):
    """When a job started and ended, in seconds from the start of the run."""

    start: float
    end: float


def run(jobs: Mapping[Name, Job], machines: Machines) -> dict[Name, Placed]:
    """The schedule in which jobs wait in line for what they hold, in the order in which they became ready.

    A job that waits for many GPUs holds up those behind it that want GPUs, too (as Slurm's main scheduler
    does: else small ones would starve it), but none that wants cores only. Jobs that became ready at once
    stand in the order of `jobs`. Raises ValueError where a job asks for more than there is or needs wait
    for each other.
    """
    for name, job in jobs.items():
        if job.gpus > machines.gpus or job.cores > machines.cores:
            raise ValueError(
                f"{name} asks for more than there is: {job.gpus} GPUs, {job.cores} cores"
            )
    waiting = {name: {need for need in job.needs if need in jobs} for name, job in jobs.items()}
    following: dict[Name, list[Name]] = {}
    for name, needs in waiting.items():
        for need in needs:
            following.setdefault(need, []).append(name)
    line = _Line(jobs, machines)
    line.join(name for name, needs in waiting.items() if not needs)
    placed: dict[Name, Placed] = {}
    running: list[tuple[float, int, Name]] = []
    now = 0.0
    while True:
        for name in line.admitted():
            placed[name] = Placed(now, now + jobs[name].seconds)
            heapq.heappush(running, (placed[name].end, len(placed), name))
        if not running:
            break
        now, _, name = heapq.heappop(running)
        ended = [name]
        while running and running[0][0] == now:
            ended.append(heapq.heappop(running)[2])
        for name in ended:
            line.leave(jobs[name])
            for other in following.get(name, ()):
                waiting[other].discard(name)
                if not waiting[other]:
                    line.join([other])
    if len(placed) < len(jobs):
        stuck = next(name for name in jobs if name not in placed)
        raise ValueError(f"{stuck} waits for jobs that wait for it")
    return placed


class _Line:
    """Two queues, of the jobs that hold GPUs and of those that do not, and what is free."""

    def __init__(self, jobs: Mapping[Name, Job], free: Machines) -> None:
        self._jobs, self._free = jobs, free
        self._queues: tuple[list[tuple[int, Name]], list[tuple[int, Name]]] = ([], [])
        self._joined = 0

    def join(self, names: Iterable[Name]) -> None:
        for name in names:
            self._joined += 1
            heapq.heappush(self._queues[self._jobs[name].gpus > 0], (self._joined, name))

    def leave(self, job: Job) -> None:
        gpus, cores, n = self._free
        self._free = Machines(gpus + job.gpus, cores + job.cores, n + 1)

    def admitted(self) -> list[Name]:
        """The jobs that start now, which hold from now on what they asked for."""
        found = []
        for queue in self._queues:
            while queue and self._fits(self._jobs[queue[0][1]]):
                name = heapq.heappop(queue)[1]
                gpus, cores, n = self._free
                job = self._jobs[name]
                self._free = Machines(gpus - job.gpus, cores - job.cores, n - 1)
                found.append(name)
        return found

    def _fits(self, job: Job) -> bool:
        gpus, cores, n = self._free
        return job.gpus <= gpus and job.cores <= cores and n >= 1


def makespan(placed: Mapping[Name, Placed]) -> float:
    """When the last job ends."""
    return max((one.end for one in placed.values()), default=0.0)


def longest_chain(jobs: Mapping[Name, Job]) -> tuple[float, list[Name]]:
    """The seconds and the jobs of the chain that no number of machines makes shorter.

    Raises ValueError where needs wait for each other.
    """
    placed = run(jobs, Machines())
    if not placed:
        return 0.0, []
    chain = [max(placed, key=lambda name: placed[name].end)]
    while needs := [need for need in jobs[chain[-1]].needs if need in jobs]:
        chain.append(max(needs, key=lambda name: placed[name].end))
    return placed[chain[0]].end, chain[::-1]
