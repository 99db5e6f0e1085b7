"""What the verifiers' errors, as an audit counted them, would do to scores and verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sourcewise import error_rates
from sourcewise.report.gathered import Gathered
from sourcewise.report.scores import Comparison, Score
from sourcewise.statistics import Interval


class Rates(NamedTuple):
    """How often a verifier takes a wrong answer and refuses a right one."""

    accept: Interval
    reject: Interval


class CorrectedScore(NamedTuple):
    """A score, and what it is without the verifier's errors; None where these say nothing of it."""

    score: Score
    corrected: Interval | None


class CorrectedPair(NamedTuple):
    """A comparison, its difference if both students are judged alike, and the least it can be if they are not.

    `survives` says whether a verdict of "better" would stand with that least difference and the measured
    uncertainty; None for a verdict that names nobody.
    """

    pair: Comparison
    alike: float
    least: float
    survives: bool | None


def scores(gathered: Gathered) -> list[CorrectedScore]:
    """Every score whose verifier was audited."""
    return [
        CorrectedScore(one, error_rates.corrected(one.interval, *rates))
        for one in gathered.scores
        if one.interval is not None and (rates := _rates(gathered, one.benchmark))
    ]


def pairs(gathered: Gathered) -> Iterator[CorrectedPair]:
    """Every pair at a benchmark whose verifier was audited."""
    values = {(s.student, s.benchmark): s.means for s in gathered.scores}
    for pair in gathered.comparisons:
        rates = _rates(gathered, pair.benchmark)
        informed = 1 - rates.accept.value - rates.reject.value if rates else 0.0
        if rates is None or informed <= 0:
            continue
        own, other = (values[name, pair.benchmark] for name in (pair.first, pair.second))
        shared = own.keys() & other.keys()
        first, second = (sum(of[q] for q in shared) / len(shared) for of in (own, other))
        least = error_rates.least_difference(first, second, *rates)
        doubt = (pair.difference.value - pair.difference.low) / informed
        survives = least - doubt > 0 if pair.better else None
        yield CorrectedPair(pair, pair.difference.value / informed, least, survives)


def _rates(gathered: Gathered, benchmark: str) -> Rates | None:
    """The rates of the one verifier that graded a benchmark, over all labelled sets; None without an audit."""
    names = frozenset().union(*(s.verifiers for s in gathered.scores if s.benchmark == benchmark))
    if gathered.audit is None or len(names) != 1:
        return None
    count = error_rates.pooled(c for c in gathered.audit.sets if c.verifier in names)
    confidence = gathered.report.confidence
    accept = count.false_accept(confidence) if count else None
    reject = count.false_reject(confidence) if count else None
    return Rates(accept, reject) if accept and reject else None
