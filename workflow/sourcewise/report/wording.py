"""Numbers as the report writes them: per cent with one decimal, a true minus sign, thousands apart."""

from __future__ import annotations

from collections.abc import Sequence

from sourcewise.statistics import Difference, Interval

# A space that never ends a line stands before the sign.
PER_CENT = "\N{NO-BREAK SPACE}%"


def percent(share: float) -> str:
    """A share in [0, 1] as per cent."""
    return f"{100 * share:.1f}{PER_CENT}"


def points(difference: float) -> str:
    """A difference of shares as signed percentage points."""
    return (
        f"{100 * difference:+.1f}".replace("-", "−").replace("+0.0", "0.0").replace("−0.0", "0.0")
    )


def span(low: float, high: float) -> str:
    """The ends of an interval of shares, in per cent or points."""
    return f"{100 * low:.1f} to {100 * high:.1f}".replace("-", "−")


def estimate(interval: Interval | Difference) -> str:
    """A share with its interval, as a sentence says it."""
    return f"{percent(interval.value)} ({span(interval.low, interval.high)})"


def count(n: float) -> str:
    """A whole number with thousands apart."""
    return f"{n:,.0f}"


def about(n: int) -> str:
    """A number of questions, rounded up to two digits, because it is a forecast."""
    step = 10 ** max(0, len(str(n)) - 2)
    rounded = -(-n // step) * step
    return f"{rounded:,}" if rounded <= 100_000 else "more than 100,000"


def decimal(value: float) -> str:
    """A measured number with three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def p_value(p: float) -> str:
    """A p-value; below 0.001 only that."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them: a, b and c."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
