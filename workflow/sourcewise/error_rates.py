"""How often verifiers err, counted on labelled answers, and what retrying until accepted makes of it."""

from __future__ import annotations

import math
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, NonNegativeInt

from sourcewise import statistics
from sourcewise.params.base import Fraction
from sourcewise.statistics import Interval


class Count(BaseModel):
    """How a verifier judged a labelled set: `right` and `wrong` are labels of the answers that it judged.

    `unjudged` answers have a status that says nothing of them, such as `unavailable`; `skipped` rows of
    the set have no label that holds.
    """

    model_config = ConfigDict(frozen=True)

    set: str
    verifier: str
    version: str
    right: NonNegativeInt
    wrong: NonNegativeInt
    false_accepts: NonNegativeInt
    false_rejects: NonNegativeInt
    unjudged: NonNegativeInt
    skipped: NonNegativeInt

    def false_accept(self, confidence: float) -> Interval | None:
        """The share of wrong answers that were accepted; None without wrong answers."""
        return _rate(self.false_accepts, self.wrong, confidence)

    def false_reject(self, confidence: float) -> Interval | None:
        """The share of right answers that were not accepted; None without right answers."""
        return _rate(self.false_rejects, self.right, confidence)


class Audit(BaseModel):
    """What `sourcewise audit` found; an answer is accepted with a score of at least `min_score`."""

    model_config = ConfigDict(frozen=True)

    min_score: Fraction
    sets: tuple[Count, ...]


def _rate(n: int, of: int, confidence: float) -> Interval | None:
    return statistics.exact(n, of, confidence) if of else None


def hopeless(false_accept: float, attempts: int) -> float:
    """The chance that a query which the teacher never solves is accepted: 1 - (1 - f)^k."""
    # For f near 0 the plain formula loses all digits.
    return -math.expm1(attempts * math.log1p(-false_accept)) if false_accept < 1 else 1.0


def wrong_share(
    false_accept: float, false_reject: float, *, success: float, attempts: int
) -> float | None:
    """The largest expected share of wrong rows among those accepted within so many attempts.

    `success` is the teacher's mean chance of a right answer at one attempt. Where p is that of one
    query, an attempt is accepted wrongly with b = (1-p)f and at all with a = b + p(1-r); within k
    attempts g(p) = b/a (1-(1-a)^k) and A(p) = 1-(1-a)^k. For f + r < 1, g is convex and A concave in p,
    so g/A over all queries is largest where each is solved always or never:
    (1-p)(1-(1-f)^k) / ((1-p)(1-(1-f)^k) + p(1-r^k)), and smallest where all are alike: b/a, whatever k.
    None where nothing would be accepted.
    """
    wrong = (1 - success) * hopeless(false_accept, attempts)
    accepted = wrong + success * (1 - false_reject**attempts)
    return wrong / accepted if accepted > 0 else None


def success(accepted: float, false_accept: float, false_reject: float) -> float:
    """The share of right first attempts behind a share of accepted ones (Rogan and Gladen 1978)."""
    informed = 1 - false_accept - false_reject
    return min(1.0, max(0.0, (accepted - false_accept) / informed)) if informed > 0 else 0.0


def over(interval: Interval, of: Callable[[float], float | None]) -> Interval | None:
    """A quantity that grows with a rate, at the rate and at the ends of its interval."""
    value, low, high = (of(rate) for rate in interval[:3])
    if value is None or low is None or high is None:
        return None
    return Interval(value, low, high, interval.n)
