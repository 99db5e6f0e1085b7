"""How often the interval of pass@k holds the true one."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from figure import Figure
from scipy import special, stats
from simulated import (
    DIFFICULTIES,
    HIGH,
    LEVEL,
    LOW,
    QUESTIONS,
    SAMPLES,
    Coverage,
    coverage,
    holds,
    span,
)

from sourcewise import statistics

ORDINARY = DIFFICULTIES["scores of 10 to 80 %"]
RUNS = {30: 12000, 500: 4000}


def figures() -> Iterator[Figure]:
    """As many samples as k, then more."""
    for n, k in itertools.product(QUESTIONS, SAMPLES):
        yield _one_trial(n, k)
    for n in QUESTIONS:
        yield _any_chance(n)
    rng = np.random.default_rng(20_26)
    for n, (k, of) in itertools.product(QUESTIONS, ((4, 16), (4, 64), (16, 64))):
        cells = [_best_of(rng, n, k, of, shape) for shape in ORDINARY]
        what = f"pass@{k} of {of} samples, {n} questions, scores of 10 to 80 %"
        yield coverage(what, "Student's t", cells)


def _one_trial(n: int, k: int) -> Figure:
    """pass@k of k samples is a share of n trials, so coverage is a sum over their outcomes, without noise.

    Steps of one outcome near 1 leave some chances that no interval covers with 93 to 97 %; there the least
    above it is the limit.
    """
    cells = [(chance, _trials(n, k, chance)) for chance in (_best_chance(s, k) for s in ORDINARY)]
    low, high = min(one.ours for _, one in cells), max(one.ours for _, one in cells)
    over = {chance: one.ours for chance, one in cells if round(one.ours, 3) > HIGH}
    least = {chance: _least(n, chance) for chance in over}
    said = "".join(
        f"; at {100 * chance:.1f} % no interval has 93 % and less than {100 * share:.1f}"
        for chance, share in least.items()
        if round(share, 3) > HIGH
    )
    plain = span(min(one.plain for _, one in cells), max(one.plain for _, one in cells))
    met = low >= LOW and all(over[chance] <= max(HIGH, least[chance]) + 1e-9 for chance in over)
    what = f"coverage: pass@{k} of {k} samples, {n} questions, scores of 10 to 80 %"
    return Figure(what, span(low, high), f"Student's t {plain}", f"93 to 97 %{said}", met)


def _any_chance(n: int) -> Figure:
    """pass@k of k samples at 2,000 chances and not only those that the shapes happen to give."""
    cells = [_trials(n, 4, chance) for chance in np.linspace(0.5, 1, 2001)[:-1].tolist()]
    low, high = min(one.ours for one in cells), max(one.ours for one in cells)
    mean = float(np.mean([one.ours for one in cells]))
    beside = f"mean {100 * mean:.1f} %; Student's t from {100 * min(o.plain for o in cells):.1f} %"
    what = f"coverage: pass@k of k samples, {n} questions, chances of 50 to 99.975 %"
    return Figure(what, span(low, high), beside, "≥ 93 %", low >= LOW)


def _trials(n: int, k: int, chance: float) -> Coverage:
    """Coverage of a share of n trials, summed over all outcomes."""
    likely = stats.binom.pmf(np.arange(n + 1), n, chance)
    kinds = ([one.ours for one in _intervals(n, k)], [one.plain for one in _intervals(n, k)])
    ours, plain = (
        sum(p for p, ends in zip(likely, kind, strict=True) if holds(ends, chance))
        for kind in kinds
    )
    return Coverage(float(ours), float(plain))


class Ends(NamedTuple):
    """Both intervals of one outcome."""

    ours: tuple[float, ...]
    plain: tuple[float, ...]


@functools.cache
def _intervals(n: int, k: int) -> list[Ends]:
    """The intervals of 0 to n questions solved."""
    found = []
    for solved in range(n + 1):
        row = [1.0] * solved + [0.0] * (n - solved)
        half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * float(np.std(row, ddof=1)) / math.sqrt(n)
        ours = statistics.best_of(row, n * k, k, LEVEL)[1:3]
        found.append(Ends(ours, (solved / n - half, solved / n + half)))
    return found


def _least(n: int, chance: float) -> float:
    """The least coverage of at least LOW that neighbouring outcomes of n trials add up to."""
    below = np.concatenate([[0.0], np.cumsum(stats.binom.pmf(np.arange(n + 1), n, chance))])
    shares = below[None, :] - below[:, None]
    return float(np.min(shares[shares >= LOW]))


def _best_of(
    rng: np.random.Generator, n: int, k: int, of: int, shape: tuple[float, float]
) -> Coverage:
    truth, runs = _best_chance(shape, k), RUNS[n]
    correct = rng.binomial(of, rng.beta(*shape, (runs, n)))
    chance = np.array([statistics.pass_at_k(of, right, k) for right in range(of + 1)])[correct]
    ours = sum(
        holds(statistics.best_of(row, n * of, k, LEVEL)[1:3], truth) for row in chance.tolist()
    )
    half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * np.std(chance, axis=1, ddof=1) / math.sqrt(n)
    plain = float(np.mean(np.abs(chance.mean(axis=1) - truth) <= half + 1e-12))
    return Coverage(ours / runs, plain)


def _best_chance(shape: tuple[float, float], k: int) -> float:
    """The mean of pass@k over questions: 1 - E(1 - p)^k."""
    return 1 - float(special.beta(shape[0], shape[1] + k) / special.beta(*shape))
