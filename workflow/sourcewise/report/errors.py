"""How often the verifiers err, and what that means for the rows of this run."""

from __future__ import annotations

from typing import NamedTuple

from sourcewise import error_rates
from sourcewise.error_rates import Count
from sourcewise.report.gathered import Gathered
from sourcewise.statistics import Interval


class ErrorRow(NamedTuple):
    """A verifier on a labelled set: its rates, and what they come to within the attempts of this run.

    `unsolved` is the chance that a query which is never solved is accepted, `share` the largest share of
    wrong rows among accepted ones.
    """

    of: Count
    accept: Interval | None
    reject: Interval | None
    unsolved: Interval | None
    share: Interval | None


def rows(gathered: Gathered) -> list[ErrorRow]:
    """A row for each verifier and set of the audit; none where there is no audit."""
    if gathered.audit is None:
        return []
    return [_row(count, gathered) for count in gathered.audit.sets]


def _row(count: Count, gathered: Gathered) -> ErrorRow:
    confidence, attempts = gathered.report.confidence, gathered.distill.max_attempts
    accept, reject = count.false_accept(confidence), count.false_reject(confidence)
    first = _first_acceptance(gathered, count.verifier)
    if accept is None:
        return ErrorRow(count, None, reject, None, None)

    def share(rate: float) -> float | None:
        if reject is None or first is None:
            return None
        success = error_rates.success(first, rate, reject.value)
        return error_rates.wrong_share(rate, reject.value, success=success, attempts=attempts)

    unsolved = error_rates.over(accept, lambda rate: error_rates.hopeless(rate, attempts))
    return ErrorRow(count, accept, reject, unsolved, error_rates.over(accept, share))


def _first_acceptance(gathered: Gathered, category: str) -> float | None:
    """The share of a category's queries that were accepted at attempt 1, over all teachers."""
    accepted = n = 0.0
    for teacher in gathered.teachers:
        share = teacher.acceptance(
            attempts=1, confidence=gathered.report.confidence, category=category
        )
        if share is not None:
            accepted, n = accepted + share.value * share.n, n + share.n
    return accepted / n if n else None
