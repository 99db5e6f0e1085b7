"""What an audit found, as two tables for people: the errors, and what retries make of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from sourcewise import error_rates
from sourcewise.error_rates import Audit, Count
from sourcewise.statistics import Interval

ATTEMPTS = (1, 4, 8)


def table(audit: Audit, *, confidence: float, success: float) -> str:
    """Both tables, every share in per cent with its exact interval."""
    level = f"{100 * confidence:g} %"
    head = ["verifier", "set", "right", "wrong", "falsely accepted", "falsely rejected"]
    head += ["not judged", "skipped"]
    errors = [[*_who(count), *_errors(count, confidence)] for count in audit.sets]
    within = [f"{k} attempt{'s' * (k > 1)}" for k in ATTEMPTS]
    hopeless = [[*_who(count), *_hopeless(count, confidence)] for count in audit.sets]
    shares = [[*_who(count), *_shares(count, confidence, success)] for count in audit.sets]
    return "\n".join(
        [
            f"Accepted is a score of at least {audit.min_score:g}; intervals are exact, {level}.",
            *_lines([head, *errors], left=2),
            "",
            "A query that the teacher never solves is accepted, wrongly, within",
            *_lines([["verifier", "set", *within], *hopeless], left=2),
            "",
            f"Wrong rows among those accepted, at most, where {100 * success:g} % of first attempts "
            "are right, within",
            *_lines([["verifier", "set", *within], *shares], left=2),
        ]
    )


def _who(count: Count) -> list[str]:
    return [f"{count.verifier} {count.version}", count.set]


def _errors(count: Count, confidence: float) -> list[str]:
    accepts, rejects = count.false_accept(confidence), count.false_reject(confidence)
    return [
        f"{count.right:,}",
        f"{count.wrong:,}",
        f"{count.false_accepts:,} = {_percent(accepts)}",
        f"{count.false_rejects:,} = {_percent(rejects)}",
        f"{count.unjudged:,}",
        f"{count.skipped:,}",
    ]


def _hopeless(count: Count, confidence: float) -> list[str]:
    return _growth(count.false_accept(confidence), error_rates.hopeless)


def _shares(count: Count, confidence: float, success: float) -> list[str]:
    rejects = count.false_reject(confidence)
    if rejects is None:
        return _growth(None, error_rates.hopeless)
    share = partial(error_rates.wrong_share, false_reject=rejects.value, success=success)
    return _growth(count.false_accept(confidence), share)


def _growth(rate: Interval | None, of: Callable[..., float | None]) -> list[str]:
    """What grows with a rate and with the attempts, after each number of attempts."""
    grown = [rate and error_rates.over(rate, partial(of, attempts=k)) for k in ATTEMPTS]
    return [_percent(share) for share in grown]


def _percent(interval: Interval | None) -> str:
    if interval is None:
        return "–"
    value, low, high = (f"{100 * share:.2f}" for share in interval[:3])
    return f"{value} % ({low} to {high})"


def _lines(rows: Sequence[Sequence[str]], *, left: int) -> list[str]:
    """Rows in columns; the first ones stand left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:<{width}}" if place < left else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
