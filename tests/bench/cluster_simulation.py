"""The paper's run, 1.89 million queries and three teachers, on clusters that nobody has here: by simulation.

    .venvs/workflow/bin/python tests/bench/cluster_simulation.py [--check] [--sweep]

Shards, rounds and the profile's limit of jobs are those of the preset `paper` and the profile `slurm`; lengths
are the paper's, the rest as `paper_numbers.py` says. `--sweep` adds other shard sizes, attempts and limits.
`--check` exits with 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import paper_numbers as paper
import yaml
import yte
from figure import Figure, print_table

from sourcewise.schedule import batching, distilling, events
from sourcewise.schedule.batching import Took
from sourcewise.schedule.distilling import Round, Shard
from sourcewise.schedule.events import Job, Machines, Name

ROOT = Path(__file__).resolve().parents[2]
PRESET = ROOT / "workflow/presets/paper.yaml"
PROFILE = ROOT / "workflow/profiles/slurm/config.yaml"
CLUSTERS = (64, 512, 4096)
# Cores of the partition in which responses are judged (assumed).
CORES = 256
SEED = 42
TARGET, LIMIT_SECONDS = 0.90, 60.0


class Asked(NamedTuple):
    """A shard of a teacher: what each round takes, and its jobs."""

    rounds: tuple[Took, ...]
    shard: Shard
    lengths: tuple[paper.Lengths, ...]


class Result(NamedTuple):
    """Hours until the last response, and shares of the GPUs' time until then.

    A GPU is used while its engine runs (what nvidia-smi shows): `full` is the time that full batches would
    have taken, `thin` what thinner ones took longer; it is not while an engine loads and while no job holds it.
    """

    hours: float
    full: float
    thin: float
    loading: float
    idle: float
    chain: float

    @property
    def used(self) -> float:
        """The share in which GPUs compute."""
        return self.full + self.thin


def shards(size: float) -> dict[str, tuple[str, int]]:
    """Category and queries of each shard of the preset, with `size` times as many queries in each."""
    sources = yaml.safe_load(PRESET.read_text())["sources"]
    numbers = {
        name: max(1, round(one["shards"] / size))
        for name, one in sources.items()
        if isinstance(one["shards"], int)
    }
    of = {
        category: sum(n for name, n in numbers.items() if sources[name]["category"] == category)
        for category in paper.QUERIES
    }
    found = {}
    for name, n in numbers.items():
        category = sources[name]["category"]
        for i in range(n):
            found[f"{name}-{i:04}"] = (category, round(paper.QUERIES[category] / of[category]))
    return found


@cache
def work(
    *,
    size: float = 1.0,
    attempts: int = 0,
    joined: bool = False,
    slower: float = 1.0,
    seed: int = SEED,
) -> tuple[Asked, ...]:
    """What every shard of every teacher takes.

    `joined` asks all attempts in one job, without rounds; engines load `slower` times as long.
    """
    attempts = attempts or yaml.safe_load(PRESET.read_text())["distill"]["max_attempts"]
    rng = np.random.default_rng(seed)
    # As Snakemake hands them out: teachers beside each other.
    return tuple(
        _asked(teacher, name, category, n, attempts, joined=joined, slower=slower, rng=rng)
        for name, (category, n) in shards(size).items()
        for teacher in paper.ENGINES
    )


def _asked(
    teacher: str,
    name: str,
    category: str,
    n: int,
    attempts: int,
    *,
    joined: bool,
    slower: float,
    rng: np.random.Generator,
) -> Asked:
    engine, drawing = paper.ENGINES[teacher], _drawing(teacher)
    engine = engine._replace(load=engine.load * slower)
    drawn, left = [], n
    for share in paper.ACCEPTED[:attempts]:
        drawn.append(drawing.draw(category, left, rng, factor=paper.LONGER if drawn else 1.0))
        left -= int(rng.binomial(left, share))
    if joined:
        drawn = [np.concatenate(drawn)]
    took = tuple(batching.took(one, paper.PROMPT_TOKENS * len(one), engine) for one in drawn)
    judging = [paper.JUDGING[category] * len(one) for one in drawn]
    if category not in ("science", "dialogue"):
        judging = [seconds / 2 for seconds in judging]
    rounds = tuple(Round(one.seconds, wait) for one, wait in zip(took, judging, strict=True))
    scoring = (int(drawn[0].sum()) + paper.PROMPT_TOKENS * n) / paper.SCORED_PER_SECOND + 125
    shard = Shard(teacher, name, rounds, scoring, engine.gpus, paper.SCORER_GPUS)
    return Asked(took, shard, tuple(drawn))


@cache
def _drawing(teacher: str) -> paper.Drawing:
    return paper.lengths(teacher)


def simulate(asked: tuple[Asked, ...], gpus: int, *, at_once: float) -> Result:
    """The loop of all teachers on so many GPUs, with `at_once` jobs at most."""
    jobs = {name: job for one in asked for name, job in distilling.jobs(one.shard)}
    jobs = grouped(jobs, together())
    placed = events.run(jobs, Machines(gpus, CORES, at_once))
    end = max(one.end for name, one in placed.items() if name[0] == "generate")
    there = gpus * end
    held = sum(
        jobs[name].gpus * (min(one.end, end) - min(one.start, end)) for name, one in placed.items()
    )
    load, _, thin = (
        sum(paper.ENGINES[one.shard.teacher].gpus * took[i] for one in asked for took in one.rounds)
        for i in range(3)
    )
    chain, _ = events.longest_chain(jobs)
    # What is left is full batches, and perplexity beside them.
    full = held - load - thin
    return Result(
        end / 3600, full / there, thin / there, load / there, 1 - held / there, chain / 3600
    )


def served(gpus: int) -> Result:
    """The loop with each teacher served without pause on its share of the GPUs, and shards that ask it."""
    queues = {name: [one for one in work() if one.shard.teacher == name] for name in paper.ENGINES}
    needed = {
        name: sum(took.full for one in found for took in one.rounds) * paper.ENGINES[name].gpus
        for name, found in queues.items()
    }
    took, seconds = {}, {}
    for name, found in queues.items():
        engine = paper.ENGINES[name]
        share = gpus * needed[name] / sum(needed.values())
        replicas = max(1, round(share / engine.gpus))
        # Rounds follow each other within a shard: the first attempts of all, then the second, and so on.
        lengths = np.concatenate(
            [one.lengths[i] for i in range(len(found[0].lengths)) for one in found]
        )
        whole = engine._replace(
            gpus=engine.gpus * replicas,
            slots=engine.slots * replicas,
            per_sequence=engine.per_sequence / replicas,
            per_prompt_token=engine.per_prompt_token / replicas,
        )
        took[name] = batching.took(lengths, paper.PROMPT_TOKENS * len(lengths), whole)
        seconds[name] = (whole.gpus, took[name].seconds)
    end = max(one for _, one in seconds.values())
    there = sum(n for n, _ in seconds.values()) * end
    load, full, thin = (
        sum(seconds[name][0] * one[i] for name, one in took.items()) / there for i in range(3)
    )
    return Result(end / 3600, full, thin, load, 1 - load - full - thin, 0.0)


def whole(gpus: int, *, train_gpus: int) -> tuple[float, float]:
    """Hours of the run until the last student is sampled, and of its longest chain."""
    jobs = {name: job for one in work() for name, job in distilling.jobs(one.shard)}
    jobs = grouped(jobs, together())
    distilled = tuple(jobs)
    for student, teacher in paper.STUDENTS.items():
        jobs["filter", student] = Job(paper.FILTER_SECONDS, distilled, cores=2)
        seconds = paper.train_seconds(teacher) / train_gpus
        jobs["train", student] = Job(seconds, (("filter", student),), train_gpus)
        engine = paper.ENGINES[paper.LIKE_THE_STUDENT]
        seconds = paper.sampled_tokens(teacher) / engine.tokens_per_second + engine.load
        jobs["sample", student] = Job(seconds, (("train", student),), engine.gpus)
    placed = events.run(jobs, Machines(gpus, CORES, limit_of_jobs()))
    return events.makespan(placed) / 3600, events.longest_chain(jobs)[0] / 3600


def profile() -> dict[str, Any]:
    """The profile of Slurm as Snakemake reads it."""
    return dict(yte.process_yaml(PROFILE.read_text(), require_use_yte=True))


def together() -> int:
    """Of how many shards one job judges the responses, by the profile."""
    return int(next(iter(profile().get("group-components", {"": 1}).values())))


def grouped(jobs: dict[Name, Job], n: int) -> dict[Name, Job]:
    """The jobs with each `n` verifications of a round as one, which waits for the responses of all."""
    found = dict(jobs)
    rounds = sorted({name[3] for name in jobs if name[0] == "verify"})
    for attempt in rounds:
        names = [name for name in jobs if name[0] == "verify" and name[3] == attempt]
        for start in range(0, len(names), n):
            group = names[start : start + n]
            needs = tuple(need for name in group for need in jobs[name].needs)
            seconds = max(jobs[name].seconds for name in group)
            found.update((name, Job(seconds, needs, 0, jobs[name].cores)) for name in group)
    return found


def limit_of_jobs() -> int:
    """How many jobs the profile has in Slurm at once."""
    return int(profile()["jobs"])


def figures() -> Iterator[Figure]:
    """The defaults on each cluster."""
    start = time.monotonic()
    asked = work()
    total = sum(int(round_.sum()) for one in asked for round_ in one.lengths) / 1e9
    yield Figure(
        "responses",
        f"{total:.1f} billion tokens",
        f"{len(asked) // len(paper.ENGINES)} shards, {limit_of_jobs()} jobs at once",
        "–",
        None,
    )
    for gpus in CLUSTERS:
        result = simulate(asked, gpus, at_once=limit_of_jobs())
        is_target = gpus == 512
        yield Figure(
            f"{gpus:,} GPUs: generation",
            f"{result.hours:.1f} h, {100 * result.used:.1f} % of GPU time used",
            _losses(result),
            f"≥ {100 * TARGET:.0f} %" if is_target else "–",
            result.used >= TARGET if is_target else None,
        )
    for gpus in CLUSTERS:
        for train_gpus in (8, 64):
            hours, chain = whole(gpus, train_gpus=train_gpus)
            yield Figure(
                f"{gpus:,} GPUs: the whole run, a student on {train_gpus}",
                f"{hours:.0f} h",
                f"longest chain {chain:.0f} h",
                "–",
                None,
            )
    seconds = time.monotonic() - start
    yield Figure(
        "the simulation itself",
        f"{seconds:.0f} s",
        "",
        f"≤ {LIMIT_SECONDS:g} s",
        seconds <= LIMIT_SECONDS,
    )


def _losses(result: Result) -> str:
    return (
        f"full batches {100 * result.full:.1f} %, thin ones {100 * result.thin:.1f} %, loading "
        f"{100 * result.loading:.1f} %, idle {100 * result.idle:.1f} %; longest chain {result.chain:.1f} h"
    )


def sweeps() -> Iterator[Figure]:
    """Other shard sizes, attempts, limits of jobs, and the loop without rounds."""
    for gpus in CLUSTERS:
        for size in (4.0, 2.0, 1.0, 0.5, 0.25, 0.125):
            n = len(shards(size))
            result = simulate(work(size=size), gpus, at_once=np.inf)
            yield _swept(
                f"{gpus:,} GPUs, {n} shards, {100 * size:g} % of the preset's size", result
            )
        for attempts in (1, 2, 3):
            result = simulate(work(attempts=attempts), gpus, at_once=np.inf)
            yield _swept(f"{gpus:,} GPUs, {attempts} attempts", result)
        yield _swept(
            f"{gpus:,} GPUs, one job for all rounds",
            simulate(work(joined=True), gpus, at_once=np.inf),
        )
        for most in (200, 500, 1000):
            yield _swept(
                f"{gpus:,} GPUs, {most} jobs at once", simulate(work(), gpus, at_once=most)
            )


def _swept(what: str, result: Result) -> Figure:
    at_work = f"{result.hours:.1f} h, {100 * result.used:.1f} % used"
    return Figure(what, at_work, _losses(result), "–", None)


def main() -> int:
    """Prints the table; 1 where `--check` finds a missed target."""
    command = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    command.add_argument("--check", action="store_true")
    command.add_argument("--sweep", action="store_true")
    options = command.parse_args()

    def all_figures() -> Iterator[Figure]:
        yield from figures()
        if options.sweep:
            yield from sweeps()

    return print_table(all_figures(), check=options.check)


if __name__ == "__main__":
    sys.exit(main())
