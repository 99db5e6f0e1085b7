"""The jobs of stage distill@TEACHER as a schedule sees them: rounds of asking and judging, then perplexity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sourcewise.schedule.events import Job, Name

# What Snakemake adds to a job that Slurm starts: two starts of its own and a step (docs/scale.md).
SECONDS_OF_A_JOB = 3.0


class Round(NamedTuple):
    """The seconds of asking and of judging one round of one shard."""

    asking: float
    judging: float


class Shard(NamedTuple):
    """A shard of a teacher: its rounds, the seconds of its perplexity, and what the jobs hold.

    `cores` are those of judging; GPUs come with cores of their own.
    """

    teacher: str
    name: str
    rounds: Sequence[Round]
    scoring: float
    gpus: int
    scorer_gpus: int = 1
    cores: int = 2


def jobs(shard: Shard) -> Iterator[tuple[Name, Job]]:
    """The jobs of one shard by name: (rule, teacher, shard, round), without the round for perplexity."""
    before: tuple[Name, ...] = ()
    for attempt, (asking, judging) in enumerate(shard.rounds, start=1):
        place = (shard.teacher, shard.name, attempt)
        # A round with nothing to ask starts no engine and gets no GPU.
        ask = Job(asking + SECONDS_OF_A_JOB, before, shard.gpus if asking else 0)
        yield ("generate", *place), ask
        judge = Job(judging + SECONDS_OF_A_JOB, (("generate", *place),), 0, shard.cores)
        yield ("verify", *place), judge
        before = (("verify", *place),)
    score = Job(shard.scoring + SECONDS_OF_A_JOB, before, shard.scorer_gpus)
    yield ("perplexity", shard.teacher, shard.name), score
