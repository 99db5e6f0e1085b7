"""When asking again is futile: a category of which the round before accepted next to nothing."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable

from sourcewise.params.distill import Futility


def futile(judged: Iterable[tuple[str, bool]], rule: Futility) -> set[str]:
    """The categories that are given up, from the (category, accepted) of one shard's last round.

    Given up is a category whose share of accepted responses lies below `min_acceptance` even at the
    upper end of its one-sided Wilson interval, so that few queries are never reason enough.
    """
    asked: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    for category, was_accepted in judged:
        asked[category] += 1
        accepted[category] += was_accepted
    quantile = statistics.NormalDist().inv_cdf(rule.confidence)
    return {
        category
        for category, n in asked.items()
        if _upper(accepted[category], n, quantile) < rule.min_acceptance
    }


def _upper(accepted: int, n: int, quantile: float) -> float:
    share, weight = accepted / n, quantile**2 / n
    spread = math.sqrt(share * (1 - share) / n + weight / (4 * n)) * quantile
    return (share + weight / 2 + spread) / (1 + weight)
