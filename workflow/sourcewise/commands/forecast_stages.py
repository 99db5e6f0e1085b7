"""What the stages take beside the teachers' answers: judging, perplexity, training, benchmark samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from sourcewise.dag import measured
from sourcewise.forecasting import Estimate, StageForecast
from sourcewise.params.rates import Rate, Stage
from sourcewise.params.root import Params
from sourcewise.predicting import (
    ATTEMPTS,
    COMPLETION,
    GPU_HOURS,
    KEPT,
    MONEY,
    SCORED,
    Drawn,
    Floats,
    estimate,
)

BENCHMARKS = Path("data/benchmark_queries")


def stages(
    params: Params, sums: Mapping[str, Drawn], judging: Mapping[str, float | None]
) -> dict[str, StageForecast]:
    """A forecast for each stage; `sums` and `judging` are by teacher, the latter in core-seconds a response."""
    found = {
        "generation": StageForecast(
            gpu_hours=_estimate(_sum(_column(one, GPU_HOURS) for one in sums.values())),
            money=_estimate(_sum(_column(one, MONEY) for one in sums.values())),
        )
    }
    cores = (_column(one, ATTEMPTS) * _known(judging[name]) / 3600 for name, one in sums.items())
    found["verification"] = StageForecast(cpu_hours=_estimate(_sum(cores)))
    for stage, tokens in work(params, sums).items():
        found[stage] = _priced(tokens, rate(params, stage), at_most=stage == "train")
    return found


def rate(params: Params, stage: Stage) -> Rate | None:
    """The rate of a stage, None without one that tells GPU-hours."""
    found = params.rates.stages.get(stage) if params.rates else None
    return found if found and found.gpus and found.tokens_per_second else None


def work(params: Params, sums: Mapping[str, Drawn]) -> dict[Stage, Floats]:
    """The tokens that each stage reads or writes: draws, and behind them what is expected."""
    trained = (training(name, params, sums) for name in params.students)
    sampled = (sampling(name, params, sums) for name in params.students)
    return {
        "perplexity": _sum(_column(one, SCORED) for one in sums.values()),
        "train": _sum(trained),
        "sample": _sum(sampled),
    }


def training(student: str, params: Params, sums: Mapping[str, Drawn]) -> Floats:
    """The tokens that a student reads at most: filters and `solved_by` take some away.

    0 for the base, NaN where a teacher was not asked here.
    """
    name, train = params.students[student].dataset, params.train
    if name is None:
        return np.zeros(1)
    dataset = params.datasets[name]
    if not set(dataset.teachers) <= set(sums):
        return np.full(1, math.nan)
    # The unverified arm takes first attempts; those are scored, with some later ones.
    column = KEPT if dataset.min_score is not None else SCORED
    tokens = _sum(_column(sums[teacher], column) for teacher in dataset.teachers)
    most = train.max_steps and train.max_steps * train.global_batch * train.max_length
    if train.epochs is None:
        return np.full_like(tokens, most or math.nan)
    return np.minimum(tokens * train.epochs, most or math.inf)


def sampling(student: str, params: Params, sums: Mapping[str, Drawn]) -> Floats:
    """The tokens that a student writes at all benchmarks, were its samples as long as its teacher's attempts.

    NaN where its teacher was not asked here, or the number of questions is not known.
    """
    name = params.students[student].dataset
    asked = params.datasets[name].teachers if name else tuple(sums)
    known = [sums[teacher] for teacher in asked if teacher in sums]
    sizes = [_questions(name) for name in params.benchmarks]
    if not known or None in sizes:
        return np.full(1, math.nan)
    samples = [one.samples for one in params.benchmarks.values()]
    n = sum(size * each for size, each in zip(sizes, samples, strict=True) if size is not None)
    return n * _column(known[0], COMPLETION) / _column(known[0], ATTEMPTS)


def _questions(benchmark: str) -> int | None:
    table = BENCHMARKS / benchmark / "queries.parquet"
    return len(measured.categories(str(table))) if table.exists() else None


def _column(sums: Drawn, column: int) -> Floats:
    return np.append(sums.draws[:, column], sums.expected[column])


def _sum(parts: Iterable[Floats]) -> Floats:
    return sum(parts, start=np.zeros(1))


def _known(number: float | None) -> float:
    return math.nan if number is None else number


def _estimate(values: Floats) -> Estimate | None:
    return estimate(float(values[-1]), values)


def _priced(tokens: Floats, priced: Rate | None, *, at_most: bool) -> StageForecast:
    if priced is None or priced.gpus is None or priced.tokens_per_second is None:
        return StageForecast(at_most=at_most)
    hours = tokens * priced.gpus / priced.tokens_per_second / 3600
    return StageForecast(
        gpu_hours=_estimate(hours),
        money=_estimate(hours * _known(priced.gpu_hour)),
        at_most=at_most,
    )
