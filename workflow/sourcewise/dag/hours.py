"""How long jobs will take, from what such jobs took in this working copy by their own logs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sourcewise.schedule import events
from sourcewise.schedule.events import Job, Machines

DONE = re.compile(r"^\w+: done in ([\d.]+) s$", re.MULTILINE)
ASKED = re.compile(r": asked ([\d,]+), from the ledger", re.MULTILINE)


class Took(NamedTuple):
    """What the log of a finished job says: seconds, and the answers it asked a model for."""

    seconds: float
    asked: int


def took(log: str) -> Took | None:
    """The last finished run of a job by its log; None where it never finished here."""
    try:
        text = Path(log).read_text(errors="replace")
    except OSError:
        return None
    done, asked = DONE.findall(text), ASKED.findall(text)
    return Took(float(done[-1]), int(asked[-1].replace(",", "")) if asked else 0) if done else None


def seconds(times: Iterable[Took], asked: float) -> float | None:
    """How long a job takes that asks for so many answers, from a line through what such jobs took.

    Jobs that ask nothing start no engine and are measured by themselves.
    """
    points = [one for one in times if (one.asked > 0) == (asked > 0)]
    if not points:
        return None
    n = len(points)
    mean = sum(one.seconds for one in points) / n
    centre = sum(one.asked for one in points) / n
    spread = sum((one.asked - centre) ** 2 for one in points)
    if spread == 0:
        # One size was measured: the start of the engine cannot be told from its work.
        return mean * max(1.0, asked / centre) if centre else mean
    slope = sum((one.asked - centre) * (one.seconds - mean) for one in points) / spread
    return max(mean + max(slope, 0.0) * (asked - centre), min(one.seconds for one in points))


def makespan(spent: Mapping[Any, float], needs: Mapping[Any, Iterable[Any]], cores: int) -> float:
    """The time that jobs take together on so many cores, each started as soon as one is free."""
    jobs = {job: Job(seconds, tuple(needs.get(job, ())), cores=1) for job, seconds in spent.items()}
    return events.makespan(events.run(jobs, Machines(cores=cores)))


def of_jobs(
    stale: Iterable[Any], jobs: Iterable[Any], asked: Mapping[Any, float]
) -> dict[Any, float]:
    """How long stale jobs take: as long as each took, else as such jobs took; without a measure, left out.

    `asked` has the answers that each asking job would ask for.
    """
    rules = {job.rule.name for job in stale}
    own = {job: took(str(job.log[0])) for job in jobs if job.rule.name in rules and job.log}
    alike: dict[Any, list[Took]] = {}
    for job, took_ in own.items():
        if took_ is not None:
            alike.setdefault(_kind(job), []).append(took_)
            alike.setdefault((*_kind(job), job.wildcards.get("teacher")), []).append(took_)
    spent: dict[Any, float] = {}
    for job in stale:
        before = own.get(job)
        if not runs_a_stage(job):
            expected: float | None = 0.0
        elif before is not None and job not in asked:
            expected = before.seconds
        else:
            n, kind = asked.get(job, 0.0), _kind(job)
            mine = alike.get((*kind, job.wildcards.get("teacher")), [])
            expected = seconds(mine, n)
            if expected is None:
                expected = seconds(alike.get(kind, []), n)
            if expected is None and asked.get(job) == 0:
                # It starts no engine.
                expected = 0.0
        if expected is not None:
            spent[job] = expected
    return spent


def _kind(job: Any) -> tuple[str, bool]:
    """Jobs of one kind do the same work: a student without a dataset is not trained."""
    return job.rule.name, job.rule.name == "train" and bool(job.input.examples)


def runs_a_stage(job: Any) -> bool:
    """Whether a job runs a stage; the others are one line of the shell, which takes no time."""
    return "sourcewise" in (job.rule.shellcmd or "")
