"""How often the interval of a score holds the true one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from figure import Figure
from scipy import stats
from simulated import DIFFICULTIES, LEVEL, QUESTIONS, SAMPLES, Coverage, coverage, holds

from sourcewise import statistics

RUNS = {30: 8000, 500: 4000}


def figures() -> Iterator[Figure]:
    """Each number of questions and samples, over the difficulties."""
    rng = np.random.default_rng(20_26)
    for (said, shapes), n, k in itertools.product(DIFFICULTIES.items(), QUESTIONS, SAMPLES):
        found = [_average(rng, n, k, shape) for shape in shapes]
        yield coverage(f"avg@{k}, {n} questions, {said}", "Student's t", found)


def _average(rng: np.random.Generator, n: int, k: int, shape: tuple[float, float]) -> Coverage:
    truth, runs = shape[0] / sum(shape), RUNS[n]
    means = rng.binomial(k, rng.beta(*shape, (runs, n))) / k
    ours = sum(holds(statistics.average(row, n * k, LEVEL)[1:3], truth) for row in means.tolist())
    half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * np.std(means, axis=1, ddof=1) / math.sqrt(n)
    return Coverage(ours / runs, float(np.mean(np.abs(means.mean(axis=1) - truth) <= half)))
