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
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import cluster_services as services
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
# On more, services want more shards or more requests in flight than the defaults give (`--sweep`).
SERVED_BY_DEFAULT = 512
SEED = 42
TARGET, LIMIT_SECONDS = 0.90, 60.0


Replicas = services.Replicas


class Asked(NamedTuple):
    """A shard of a teacher: what each round takes, and its jobs."""

    rounds: tuple[Took, ...]
    shard: Shard
    lengths: tuple[paper.Lengths, ...]


class Result(NamedTuple):
    """Hours until the last response, and the GPU-hours until then by what they went into.

    A GPU is `used` while its engine runs (what nvidia-smi shows); at `full` speed are only the hours that full
    batches would have taken, and perplexity, whose batches are always full.
    """

    hours: float
    gpus: int
    spent: dict[str, float]
    chain: float

    def share(self, *causes: str) -> float:
        """The share of all GPUs' time."""
        return sum(self.spent[cause] for cause in causes) / (self.gpus * self.hours)

    @property
    def full(self) -> float:
        """The share at full speed."""
        return self.share("full batches", "perplexity")

    @property
    def used(self) -> float:
        """The share in which engines run."""
        return self.full + self.share("thin, round 1", "thin, later rounds", "thin, replicas")


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


@cache
def loop(replicas: Replicas, in_flight: int, **options: Any) -> dict[Name, Job]:
    """The jobs of all teachers for `work(**options)`; those of `replicas` are served."""
    jobs: dict[Name, Job] = {}
    for teacher, n in replicas:
        mine = [one for one in work(**options) if one.shard.teacher == teacher]
        shards_of, lengths = [one.shard for one in mine], [one.lengths for one in mine]
        jobs |= services.jobs(
            teacher, shards_of, lengths, n, together=together(), in_flight=in_flight
        )
    by_job = [one.shard for one in work(**options) if one.shard.teacher not in dict(replicas)]
    return jobs | grouped(dict(job for one in by_job for job in distilling.jobs(one)), together())


def simulate(
    gpus: int,
    *,
    at_once: float,
    replicas: Replicas = (),
    in_flight: int = services.IN_FLIGHT,
    **options: Any,
) -> Result:
    """The loop of all teachers on so many GPUs, with `at_once` jobs at most; those of `replicas` are served."""
    asked, is_served = work(**options), dict(replicas)
    by_job = [one for one in asked if one.shard.teacher not in is_served]
    jobs = loop(replicas, in_flight, **options)
    placed = events.run(jobs, Machines(gpus, CORES, at_once))
    end = max(one.end for name, one in placed.items() if name[0] in ("generate", "service"))

    def held(*rules: str) -> float:
        return sum(
            jobs[name].gpus * (min(one.end, end) - min(one.start, end))
            for name, one in placed.items()
            if name[0] in rules
        )

    spent = {"full batches": _sum(asked, 1), "perplexity": held("perplexity")}
    for i, what in enumerate(("loading", None, "thin")):
        if what:
            spent[f"{what}, round 1"] = _sum(by_job, i, slice(1))
            spent[f"{what}, later rounds"] = _sum(by_job, i, slice(1, None))
    lost = sum(
        placed["service", teacher].end * jobs["service", teacher].gpus * services.lost(teacher)
        for teacher in is_served
    )
    served = [one for one in asked if one.shard.teacher in is_served]
    spent["loading, replicas"] = lost
    spent["thin, replicas"] = held("service") - _sum(served, 1) - lost
    spent["idle"] = gpus * end - held("generate", "perplexity", "service")
    # Of jobs alone: what a served chain takes depends on the GPUs.
    chain, _ = events.longest_chain(loop((), in_flight, **options))
    return Result(
        end / 3600, gpus, {what: seconds / 3600 for what, seconds in spent.items()}, chain / 3600
    )


def _sum(asked: Iterable[Asked], part: int, rounds: slice = slice(None)) -> float:
    """GPU-seconds of one part of what jobs took: loading, full batches or what thin ones add."""
    return sum(
        paper.ENGINES[one.shard.teacher].gpus * took[part]
        for one in asked
        for took in one.rounds[rounds]
    )


def whole(gpus: int, *, train_gpus: int) -> tuple[float, float]:
    """Hours of the run until the last student is sampled, and of its longest chain."""
    replicas = services.replicas(gpus) if gpus <= SERVED_BY_DEFAULT else ()
    jobs = dict(loop(replicas, services.IN_FLIGHT))
    placed = events.run(with_students(jobs, train_gpus), Machines(gpus, CORES, limit_of_jobs()))
    by_jobs = with_students(dict(loop((), services.IN_FLIGHT)), train_gpus)
    return events.makespan(placed) / 3600, events.longest_chain(by_jobs)[0] / 3600


def with_students(jobs: dict[Name, Job], train_gpus: int) -> dict[Name, Job]:
    """The jobs of the loop, and those of the students behind all of them."""
    distilled = tuple(name for name in jobs if name[0] != "service")
    for student, teacher in paper.STUDENTS.items():
        jobs["filter", student] = Job(paper.FILTER_SECONDS, distilled, cores=2)
        seconds = paper.train_seconds(teacher) / train_gpus
        jobs["train", student] = Job(seconds, (("filter", student),), train_gpus)
        engine = paper.ENGINES[paper.LIKE_THE_STUDENT]
        seconds = paper.sampled_tokens(teacher) / engine.tokens_per_second + engine.load
        jobs["sample", student] = Job(seconds, (("train", student),), engine.gpus)
    return jobs


def profile() -> dict[str, Any]:
    """The profile of Slurm as Snakemake reads it."""
    return dict(yte.process_yaml(PROFILE.read_text(), require_use_yte=True))


def together() -> int:
    """Of how many shards one job judges the responses, by the profile."""
    return int(next(iter(profile().get("group-components", {"": 1}).values())))


def grouped(jobs: dict[Name, Job], n: int) -> dict[Name, Job]:
    """The jobs with each `n` verifications of a teacher's round as one, which waits for all their responses."""
    found = dict(jobs)
    rounds: dict[tuple[str, int], list[Name]] = {}
    for name in jobs:
        if name[0] == "verify":
            rounds.setdefault((name[1], name[3]), []).append(name)
    for names in rounds.values():
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
    start = time.process_time()
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
        yield _swept(
            f"{gpus:,} GPUs, all teachers by jobs", simulate(gpus, at_once=limit_of_jobs())
        )
        if gpus > SERVED_BY_DEFAULT:
            continue
        served = services.replicas(gpus)
        result = simulate(gpus, at_once=limit_of_jobs(), replicas=served)
        is_target = gpus == 512
        yield Figure(
            f"{gpus:,} GPUs: generation, {_said(served)}",
            f"{result.hours:.1f} h, {100 * result.full:.1f} % of GPU time at full speed",
            _losses(result),
            f"≥ {100 * TARGET:.0f} %" if is_target else "–",
            result.full >= TARGET if is_target else None,
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
    seconds = time.process_time() - start
    yield Figure(
        "the simulation itself",
        f"{seconds:.0f} s of processor",
        "",
        f"≤ {LIMIT_SECONDS:g} s",
        seconds <= LIMIT_SECONDS,
    )


def _said(replicas: Replicas) -> str:
    return ", ".join(f"{teacher} {n} times" for teacher, n in replicas)


def _losses(result: Result) -> str:
    """GPU-hours by what they went into."""
    spent = ", ".join(
        f"{what} {hours:,.0f}" for what, hours in result.spent.items() if hours >= 0.5
    )
    return f"{100 * result.used:.1f} % used; GPU-hours: {spent}; longest chain of jobs {result.chain:.1f} h"


def sweeps() -> Iterator[Figure]:
    """Other shard sizes, attempts, limits of jobs, the loop without rounds, and services on 4,096 GPUs."""
    most, in_flight = CLUSTERS[-1], services.IN_FLIGHT_4096
    result = simulate(most, at_once=np.inf, replicas=services.replicas(most), in_flight=in_flight)
    yield _swept(f"{most:,} GPUs, served, {in_flight} requests of a job in flight", result)
    for gpus in CLUSTERS:
        for size in (4.0, 2.0, 1.0, 0.5, 0.25, 0.125):
            n = len(shards(size))
            result = simulate(gpus, at_once=np.inf, size=size)
            yield _swept(
                f"{gpus:,} GPUs, {n} shards, {100 * size:g} % of the preset's size", result
            )
        for attempts in (1, 2, 3):
            result = simulate(gpus, at_once=np.inf, attempts=attempts)
            yield _swept(f"{gpus:,} GPUs, {attempts} attempts", result)
        yield _swept(
            f"{gpus:,} GPUs, one job for all rounds",
            simulate(gpus, at_once=np.inf, joined=True),
        )
        for most in (200, 500, 1000):
            yield _swept(f"{gpus:,} GPUs, {most} jobs at once", simulate(gpus, at_once=most))


def _swept(what: str, result: Result) -> Figure:
    at_work = f"{result.hours:.1f} h, {100 * result.full:.1f} % at full speed"
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
