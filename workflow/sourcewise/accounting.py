"""What jobs took, by Slurm's accounts (`sacct`) or by the logs of the stages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from sourcewise.slurm_jobs import is_here

FIELDS = ("JobIDRaw", "State", "ElapsedRaw", "CPUTimeRAW", "AllocTRES", "WorkDir", "SubmitLine")
# Between the columns of sacct: a submitted script may hold any other character.
DELIMITER = "\x1f"
# The rules of a stage, as a forecast names it.
STAGES = {
    "generate": "generation",
    # The replicas of a teacher that `sourcewise serve` keeps.
    "serve": "generation",
    "verify": "verification",
    # The group in which the profile of Slurm judges several shards.
    "verification": "verification",
    "perplexity": "perplexity",
    "train": "train",
    "sample": "sample",
}
# Of a typed resource (gres/gpu:h100) Slurm lists the sum (gres/gpu), too, though not everywhere.
GPUS = re.compile(r"gres/gpu=(\d+)")
TYPED = re.compile(r"gres/gpu:[^=,]+=(\d+)")
# The comment of a submission, which Slurm itself keeps only with AccountingStoreFlags=job_comment. A group
# is `rule_verification-TEACHER-ATTEMPT_verify`.
RULE = re.compile(
    r"--comment[ =]['\"]?(?:rule|group)_([a-z_]+?)(?:-\S*?)?(?:_wildcards_|['\"\s]|$)"
)


class Spent(NamedTuple):
    """One job: its rule, "" where that is not known, and what it held, in hours; `gpu_hours` may be unknown."""

    rule: str
    failed: bool
    hours: float
    gpu_hours: float | None
    cpu_hours: float | None


def of_slurm(lines: Iterable[str]) -> list[Spent]:
    """The ended jobs of this working copy by lines of `sacct`, columns as in FIELDS between DELIMITERs.

    Attempts that failed, were requeued or cancelled count: they held what they held. Lines that lack a
    column, or whose numbers are none (jobs that never started), are left out.
    """
    found = []
    for line in lines:
        columns = line.rstrip("\n").split(DELIMITER)
        if len(columns) < len(FIELDS):
            continue
        _, state, elapsed, processor, held, place, submitted = columns
        word = state.partition(" ")[0]
        if word in ("PENDING", "RUNNING", "SUSPENDED") or not is_here(place):
            continue
        if not elapsed.isdecimal() or not int(elapsed):
            continue
        rule = RULE.search(submitted)
        gpus = GPUS.search(held)
        n = int(gpus[1]) if gpus else sum(map(int, TYPED.findall(held)))
        hours = int(elapsed) / 3600
        found.append(
            Spent(
                rule[1] if rule else "",
                word != "COMPLETED",
                hours,
                n * hours,
                int(processor) / 3600 if processor.isdecimal() else None,
            )
        )
    return found
