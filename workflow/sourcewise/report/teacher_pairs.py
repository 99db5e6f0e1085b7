"""Teachers against each other at their first attempts, on the queries that both were judged at.

Each query is right or wrong for each teacher, so the sign-flip permutation test of two students is here
McNemar's, and exact (1947, Psychometrika 12:153). The interval is Newcombe's method 10 for paired shares (1998,
Stat. Med. 17:2635): Wilson's of each teacher, joined by their correlation. Neither grows with the queries.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from scipy import stats

from sourcewise import statistics
from sourcewise.report.teachers import TeacherNumbers
from sourcewise.report.wording import about


class TeacherPair(NamedTuple):
    """Two teachers; `first` is accepted more often. `only_first` counts queries where it alone is."""

    first: str
    second: str
    difference: statistics.Difference
    only_first: int
    only_second: int
    corrected: float
    verdict: statistics.Verdict

    @property
    def better(self) -> bool:
        """Whether the data decide that `first` is accepted more often."""
        return self.verdict.word == statistics.BETTER

    @property
    def word(self) -> str:
        """The fixed verdict words, and what would decide where the data do not."""
        if self.better:
            return self.verdict.word
        more = self.verdict.more_questions
        remedy = f"needs about {about(more)} more queries" if more else "no difference was seen"
        return f"{self.verdict.word} ({remedy})"


def pairs(teachers: Sequence[TeacherNumbers], confidence: float) -> list[TeacherPair]:
    """Every pair of teachers that share a judged query; one Holm family over all of them."""
    found = []
    for one, other in itertools.combinations(teachers, 2):
        both = (one.columns.first_judged & other.columns.first_judged).nonzero()[0]
        if not len(both):
            continue
        a, b = (of.columns.accepted_at[both] == 1 for of in (one, other))
        only = int((a & ~b).sum()), int((b & ~a).sum())
        names, ahead = (one.name, other.name), int((a & b).sum())
        if only[0] < only[1]:
            names, only = names[::-1], only[::-1]
        found.append((names, only, _difference(*only, ahead, len(both), confidence)))
    corrected = statistics.holm([difference.p for _, _, difference in found])
    alpha = 1 - confidence
    return [
        TeacherPair(
            *names, difference, *only, p,
            statistics.verdict(difference, p, alpha=alpha, tests=len(found)),
        )
        for (names, only, difference), p in zip(found, corrected, strict=True)
    ]  # fmt: skip


def _difference(
    first: int, second: int, both: int, n: int, confidence: float
) -> statistics.Difference:
    """From the numbers of queries that only one, only the other, and both have right."""
    value = (first - second) / n
    p = float(stats.binomtest(first, first + second).pvalue) if first + second else 1.0
    low, high = _newcombe(first, second, both, n, confidence)
    spread = math.sqrt(((first + second) / n - value**2) * n / (n - 1)) if n > 1 else 0.0
    return statistics.Difference(value, low, high, p, n, spread)


def _newcombe(first: int, second: int, both: int, n: int, confidence: float) -> tuple[float, float]:
    neither = n - first - second - both
    one = statistics.wilson(both + first, n, confidence)
    other = statistics.wilson(both + second, n, confidence)
    product = (both + first) * (second + neither) * (both + second) * (first + neither)
    phi = 0.0
    if product:
        crossed = float(both * neither - first * second)
        # Newcombe's continuity correction, where the answers go together.
        crossed = max(crossed - n / 2, 0.0) if crossed > 0 else crossed
        phi = crossed / math.sqrt(product)
    below = _joined(one.value - one.low, other.high - other.value, phi)
    above = _joined(one.high - one.value, other.value - other.low, phi)
    value = one.value - other.value
    return max(-1.0, value - below), min(1.0, value + above)


def _joined(a: float, b: float, phi: float) -> float:
    return math.sqrt(max(a * a - 2 * phi * a * b + b * b, 0.0))
