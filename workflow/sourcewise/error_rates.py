"""How often verifiers err, counted on labelled answers, and what retrying until accepted makes of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

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


def corrected(found: Interval, accept: Interval, reject: Interval) -> Interval | None:
    """A score with the verifier's errors taken out of it, and an interval that holds their doubt too.

    (s - f) / (1 - f - r) (Rogan and Gladen 1978, Am. J. Epidemiol. 107:71); the ends add the distances to
    those of the three intervals as squares (Zou and Donner 2008, Stat. Med. 27:1693), each weighted by how
    much the corrected score moves with it. None where f + r reach 1: such a verifier says nothing.
    """
    informed = 1 - accept.value - reject.value
    if informed <= 0:
        return None
    value = (found.value - accept.value) / informed
    share = min(1.0, max(0.0, value))
    below = math.hypot(
        found.value - found.low,
        (1 - share) * (accept.high - accept.value),
        share * (reject.value - reject.low),
    )
    above = math.hypot(
        found.high - found.value,
        (1 - share) * (accept.value - accept.low),
        share * (reject.high - reject.value),
    )
    low, high = ((value - below / informed), (value + above / informed))
    return Interval(share, min(1.0, max(0.0, low)), min(1.0, max(0.0, high)), found.n)


def least_difference(first: float, second: float, accept: Interval, reject: Interval) -> float:
    """What is left of a lead if the verifier erred, within its intervals, as much as it can for the leader.

    `first` and `second` are measured scores. For the leader wrong answers pass at the highest rate and no
    right one fails more than at the lowest; for the other the other way round. -1 where f + r may reach 1.
    """
    if accept.high + reject.high >= 1:
        return -1.0
    low = (first - accept.high) / (1 - accept.high - reject.low)
    high = (second - accept.low) / (1 - accept.low - reject.high)
    return min(1.0, max(0.0, low)) - min(1.0, max(0.0, high))


def pooled(counts: Iterable[Count]) -> Count | None:
    """One count over all labelled sets of a verifier; None without any."""
    several = list(counts)
    if not several:
        return None
    names = ("right", "wrong", "false_accepts", "false_rejects", "unjudged", "skipped")
    sums = {name: sum(getattr(count, name) for count in several) for name in names}
    return several[0].model_copy(update={"set": "all sets", **sums})
