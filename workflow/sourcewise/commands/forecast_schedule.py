"""How long the run takes on so many GPUs: its real jobs, simulated with what the pilot found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sourcewise.commands import forecast_stages
from sourcewise.commands.environment import UsageError
from sourcewise.commands.pilot import Asked
from sourcewise.dag import measured
from sourcewise.forecasting import ScheduleForecast
from sourcewise.params.rates import Rate, Stage
from sourcewise.params.root import Params
from sourcewise.predicting import Drawn, Finished, Floats, by_category, estimate
from sourcewise.recipes.manifests import Corpus
from sourcewise.schedule import distilling, events
from sourcewise.schedule.distilling import Round, Shard
from sourcewise.schedule.events import Job, Machines, Name, Placed

# Each draws other queries, and which of the pilot's stand for the corpus.
DRAWS = 40
# Cores that judge a shard's round beside each other, as the profile of Slurm gives them.
CORES = 2


class Speed(NamedTuple):
    """How a teacher answers: its GPUs, tokens a second of all of them, what a job's start takes."""

    gpus: int
    tokens_per_second: float
    start: float
    judging: float


class Looked(NamedTuple):
    """A category's pilot, a row for each query: tokens of each round, whether it was asked, tokens scored."""

    tokens: Floats
    asked: Floats
    scored: Floats


def schedule(
    params: Params,
    asked: Mapping[str, Asked],
    corpus: Corpus,
    sums: Mapping[str, Drawn],
    *,
    gpus: int,
    seed: int,
) -> ScheduleForecast:
    """The hours of the whole run on `gpus` GPUs; raises UsageError where a speed is not known."""
    speeds = {name: _speed(name, params, asked[name]) for name in asked}
    pilots = {
        name: _looked(one.finished, params.distill.max_attempts) for name, one in asked.items()
    }
    sizes = {
        shard: Counter(measured.categories(str(corpus.queries(shard))).values())
        for shard in corpus.shards
    }
    scorer = forecast_stages.rate(params, "perplexity")
    rng = np.random.default_rng(list(f"{seed}/schedule".encode()))
    runs = []
    for _ in range(DRAWS):
        weights = _weights(pilots, rng)
        jobs: dict[Name, Job] = {}
        for shard, counts in sizes.items():
            for name, speed in speeds.items():
                made = _shard(name, shard, counts, pilots[name], weights[name], speed, scorer, rng)
                jobs.update(distilling.jobs(made))
        jobs.update(_students(params, sums, tuple(jobs)))
        runs.append((jobs, events.run(jobs, Machines(gpus))))
    return _forecast(runs, gpus, _left_out(params, sums))


def check(params: Params, names: Sequence[str], gpus: int) -> None:
    """Raises UsageError, before a pilot is paid, where `gpus` GPUs cannot hold the jobs of some rate."""
    rates = params.rates
    for name in names:
        _gpus(f"teachers.{name}", rates.teachers.get(name) if rates else None, gpus)
    for stage, rate in rates.stages.items() if rates else ():
        _gpus(f"stages.{stage}", rate, gpus)


def _gpus(key: str, rate: Rate | None, there: int) -> None:
    if rate is None or rate.gpus is None:
        raise UsageError(
            f"--gpus needs to know what a job holds: give rates.{key} in params.yaml gpus"
        )
    if rate.gpus > there:
        raise UsageError(f"--gpus {there}: by rates.{key} a job holds {rate.gpus}: give more")


def _speed(name: str, params: Params, asked: Asked) -> Speed:
    rate = params.rates.teachers.get(name) if params.rates else None
    given = rate.tokens_per_second if rate else None
    per_second = given or asked.tokens_per_second
    if rate is None or rate.gpus is None or per_second is None:
        raise UsageError(
            f"--gpus needs a speed of {name}, and no pilot measured one: give rates.teachers.{name} in "
            "params.yaml gpus and tokens_per_second"
        )
    return Speed(rate.gpus, per_second, rate.start_seconds if given else 0.0, asked.judging or 0.0)


def _looked(finished: Sequence[Finished], attempts: int) -> dict[str, Looked]:
    """The pilot by category; the tokens of a query are spread evenly over its attempts."""
    found = {}
    for category, queries in by_category(finished).items():
        n = np.array([one.attempts for one in queries])
        was_asked = (np.arange(attempts) < n[:, None]).astype(float)
        each = np.array([one.completion_tokens for one in queries]) / n
        scored = np.array([one.scored_tokens for one in queries], dtype=float)
        found[category] = Looked(was_asked * each[:, None], was_asked, scored)
    return found


def _weights(
    pilots: Mapping[str, Mapping[str, Looked]], rng: np.random.Generator
) -> dict[str, dict[str, Floats]]:
    """Which of the pilot's queries stand for the corpus: a resample of them."""
    return {
        name: {
            category: rng.multinomial(
                len(one.scored), np.full(len(one.scored), 1 / len(one.scored))
            )
            / len(one.scored)
            for category, one in looked.items()
        }
        for name, looked in pilots.items()
    }


def _shard(
    teacher: str,
    name: str,
    counts: Mapping[str, int],
    looked: Mapping[str, Looked],
    weights: Mapping[str, Floats],
    speed: Speed,
    scorer: Rate | None,
    rng: np.random.Generator,
) -> Shard:
    """A shard whose queries are drawn from the pilot's; a category that it lacks counts nothing."""
    attempts = max(one.asked.shape[1] for one in looked.values())
    tokens, asked, scored = np.zeros(attempts), np.zeros(attempts), 0.0
    for category, one in looked.items():
        drawn = rng.multinomial(counts.get(category, 0), weights[category])
        tokens, asked = tokens + drawn @ one.tokens, asked + drawn @ one.asked
        scored += float(drawn @ one.scored)
    seconds = np.where(asked, tokens / speed.tokens_per_second + speed.start, 0.0)
    judged = asked * speed.judging / CORES
    rounds = [Round(*pair) for pair in zip(seconds.tolist(), judged.tolist(), strict=True)]
    if scorer is None or scorer.tokens_per_second is None:
        return Shard(teacher, name, rounds, 0.0, speed.gpus, 0, CORES)
    scoring = scored / scorer.tokens_per_second + scorer.start_seconds
    return Shard(teacher, name, rounds, scoring, speed.gpus, scorer.gpus or 0, CORES)


def _students(
    params: Params, sums: Mapping[str, Drawn], distilled: tuple[Name, ...]
) -> dict[Name, Job]:
    """Training and sampling of each student, once all responses are there."""
    jobs: dict[Name, Job] = {}
    tokens = {"train": forecast_stages.training, "sample": forecast_stages.sampling}
    before = dict.fromkeys(params.students, distilled)
    stages: tuple[Stage, ...] = ("train", "sample")
    for stage in stages:
        rate = forecast_stages.rate(params, stage)
        for student in params.students:
            work = float(tokens[stage](student, params, sums)[-1])
            if rate is None or rate.tokens_per_second is None or np.isnan(work):
                continue
            seconds = work / rate.tokens_per_second + rate.start_seconds
            jobs[stage, student] = Job(seconds, before[student], rate.gpus or 0)
            before[student] = ((stage, student),)
    return jobs


def _left_out(params: Params, sums: Mapping[str, Drawn]) -> tuple[str, ...]:
    work = forecast_stages.work(params, sums)
    return tuple(
        stage
        for stage, tokens in work.items()
        if forecast_stages.rate(params, stage) is None or np.isnan(tokens[-1])
    )


def _forecast(
    runs: Sequence[tuple[Mapping[Name, Job], Mapping[Name, Placed]]],
    gpus: int,
    left_out: tuple[str, ...],
) -> ScheduleForecast:
    whole = np.array([events.makespan(placed) for _, placed in runs]) / 3600
    asked = np.array([_last_response(placed) for _, placed in runs]) / 3600
    used = np.mean([_held(*run) / (gpus * _last_response(run[1])) for run in runs])
    # The chain of the draw in the middle.
    jobs = runs[int(np.argsort(whole)[len(runs) // 2])][0]
    chain: dict[str, float] = {}
    for name in events.longest_chain(jobs)[1]:
        chain[name[0]] = chain.get(name[0], 0.0) + jobs[name].seconds / 3600
    hours, distilled = (estimate(float(one.mean()), one) for one in (whole, asked))
    assert hours is not None
    assert distilled is not None
    return ScheduleForecast(
        gpus=gpus,
        hours=hours,
        distillation_hours=distilled,
        used=float(used),
        chain=chain,
        left_out=left_out,
    )


def _last_response(placed: Mapping[Name, Placed]) -> float:
    return max(one.end for name, one in placed.items() if name[0] == "generate")


def _held(jobs: Mapping[Name, Job], placed: Mapping[Name, Placed]) -> float:
    """GPU-seconds that jobs hold until the last response."""
    end = _last_response(placed)
    return sum(
        jobs[name].gpus * (min(one.end, end) - min(one.start, end)) for name, one in placed.items()
    )
