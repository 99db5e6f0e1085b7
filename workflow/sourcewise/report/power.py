"""What the benchmarks of a report can tell apart, as they were run and if more were asked."""

from __future__ import annotations

import math
from typing import NamedTuple

from sourcewise import statistics
from sourcewise.report.gathered import Gathered
from sourcewise.report.scores import Comparison

# Leads whose chance to be found is named, and how many times as much is asked for comparison.
LEADS, TIMES = (0.02, 0.05, 0.10), 4


class PowerRow(NamedTuple):
    """A benchmark, by the pair of students that differs most from question to question.

    `chances` are those of finding each of LEADS; the others the smallest lead that is found in 80 % of
    tries: as run, with TIMES the samples (None where one sample does not show what that is worth), with
    TIMES the questions.
    """

    benchmark: str
    questions: int
    samples: int
    chances: tuple[float, ...]
    now: float
    more_samples: float | None
    more_questions: float


def rows(gathered: Gathered) -> list[PowerRow]:
    """A row for each benchmark at which students were compared."""
    benchmarks = dict.fromkeys(pair.benchmark for pair in gathered.comparisons)
    alpha = (1 - gathered.report.confidence) / max(1, len(gathered.comparisons))
    found = []
    for benchmark in benchmarks:
        own = [pair for pair in gathered.comparisons if pair.benchmark == benchmark]
        widest = max(own, key=lambda pair: pair.detectable)
        if widest.difference.spread > 0:
            found.append(_row(widest, alpha))
    return found


def _row(pair: Comparison, alpha: float) -> PowerRow:
    seen = pair.difference

    def detectable(spread: float, n: int) -> float:
        return statistics.detectable(spread, n, alpha=alpha, luck=seen.luck)

    sampled = None
    if seen.noise is not None:
        spared = min(seen.noise, seen.spread**2) * (1 - 1 / TIMES)
        sampled = detectable(math.sqrt(seen.spread**2 - spared), seen.n)
    chances = tuple(
        statistics.power(lead, seen.spread, seen.n, alpha=alpha, luck=seen.luck) for lead in LEADS
    )
    now, asked = detectable(seen.spread, seen.n), detectable(seen.spread, TIMES * seen.n)
    return PowerRow(pair.benchmark, seen.n, pair.samples, chances, now, sampled, asked)
