"""How often the interval of a paired difference holds the true one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from figure import Figure
from scipy import special
from simulated import LEVEL, QUESTIONS, RESAMPLES, SAMPLES, Coverage, Floats, coverage, holds

from sourcewise import statistics

PAIRED = {
    "scores of 10 to 80 %": ((0.5, 0.5), (1.2, 0.3), (0.3, 2.7)),
    "scores of 3 and 97 %": ((0.3, 9.0), (9.0, 0.3)),
}
# By so many logits is the second student of a pair worse: not at all, or 1 to 8 points.
SHIFTS = (0.0, 0.7)
RUNS = {30: 6000, 500: 4000}
# The bootstrap beside them takes most of the time.
PLAIN_RUNS = 300


def figures() -> Iterator[Figure]:
    """Each number of questions and samples, over difficulties and differences."""
    rng = np.random.default_rng(20_26)
    for (said, shapes), n, k in itertools.product(PAIRED.items(), QUESTIONS, SAMPLES):
        cells = itertools.product(shapes, SHIFTS)
        found = [_difference(rng, n, k, shape, shift) for shape, shift in cells]
        yield coverage(
            f"paired difference, {n} questions x {k}, {said}", "percentile bootstrap", found
        )


def _difference(
    rng: np.random.Generator, n: int, k: int, shape: tuple[float, float], shift: float
) -> Coverage:
    first, second = _pair(rng, (1, 2_000_000), shape, shift)
    truth = float(np.mean(first - second))
    runs = RUNS[n]
    first, second = _pair(rng, (runs, n), shape, shift)
    first, second = rng.binomial(k, first) / k, rng.binomial(k, second) / k
    ours = plain = 0
    for run, differences in enumerate(np.round(first - second, 12)):
        ours += holds(statistics.leaning(differences, LEVEL), truth)
        plain += run < PLAIN_RUNS and holds(_percentiles(rng, differences), truth)
    return Coverage(ours / runs, plain / PLAIN_RUNS)


def _pair(
    rng: np.random.Generator, size: tuple[int, int], shape: tuple[float, float], shift: float
) -> tuple[Floats, Floats]:
    """Chances of two students: the second is `shift` logits worse, and with it differs question by question."""
    first = np.clip(rng.beta(*shape, size), 1e-9, 1 - 1e-9)
    if shift == 0:
        return first, first
    return first, special.expit(special.logit(first) - shift + rng.normal(size=size))


def _percentiles(rng: np.random.Generator, differences: Floats) -> tuple[float, ...]:
    values, counts = np.unique(np.round(differences, 12), return_counts=True)
    n = len(differences)
    drawn = rng.multinomial(n, counts / n, size=RESAMPLES) @ values / n
    return tuple(np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist())
