"""What a run will ask and cost, predicted from queries whose retry loop has ended.

What is predicted is the sum over a finite corpus of which some queries are known. The interval holds the
luck of which queries were looked at and the luck of those that were not (a prediction interval): whole
queries are resampled, because attempts and tokens of one query belong together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from sourcewise.forecasting import Estimate, Prediction

LEVEL = 0.95
RESAMPLES = 1000
# The most by which a resample without spread may widen the interval.
WIDEST = 3.0
ASKED = (
    *("attempts", "accepted", "completion_tokens", "prompt_tokens"),
    *("scored_tokens", "accepted_tokens"),
)
# From fewer queries the intervals of tokens are too narrow: of 10, 87 in 100 hold the sum, of 1 a quarter.
ENOUGH = 30
# So many of each value need no prior.
PLENTY = 5
QUANTITIES = (*ASKED, "gpu_hours", "money")
ATTEMPTS, ACCEPTED, COMPLETION, PROMPT, SCORED, KEPT = range(len(ASKED))
GPU_HOURS, MONEY = len(ASKED), len(ASKED) + 1
TOKENS = (COMPLETION, PROMPT, SCORED, KEPT)

Floats = npt.NDArray[np.float64]


class Finished(NamedTuple):
    """A query whose loop has ended, accepted or given up, and what all its attempts took.

    `scored_tokens` are those of the attempts that some threshold could select, `accepted_tokens` of the
    accepted one; both count prompts, too.
    """

    category: str
    attempts: int
    accepted: bool
    completion_tokens: int
    prompt_tokens: int
    scored_tokens: int
    accepted_tokens: int


class Limits(NamedTuple):
    """What no query can exceed: attempts, and tokens of one completion."""

    attempts: int
    max_tokens: int


class Cost(NamedTuple):
    """Hours of GPU per token and money per token; None is not known."""

    gpu_hours: float | None = None
    completion: float | None = None
    prompt: float | None = None


class Drawn(NamedTuple):
    """The expected sums of a group of queries and RESAMPLES draws of them, a column per quantity."""

    queries: int
    pilot: int
    expected: Floats
    draws: Floats

    def priced(self, cost: Cost) -> Drawn:
        """With the columns `gpu_hours` and `money`, NaN where a price is not known."""
        return self._replace(expected=_priced(self.expected, cost), draws=_priced(self.draws, cost))

    def prediction(self, level: float = LEVEL) -> Prediction:
        """The sums with their intervals."""
        estimates = {
            name: estimate(float(self.expected[column]), self.draws[:, column], level)
            for column, name in enumerate(QUANTITIES)
        }
        return Prediction.model_validate(
            {"queries": self.queries, "pilot": self.pilot, **estimates}
        )


def estimate(expected: float, draws: Floats, level: float = LEVEL) -> Estimate | None:
    """A value and the interval that its draws span; None where it is NaN."""
    if math.isnan(expected):
        return None
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail]).tolist()
    return Estimate(value=expected, low=min(expected, low), high=max(expected, high))


def total(groups: Sequence[Drawn]) -> Drawn:
    """Independent groups as one; raises ValueError without any."""
    if not groups:
        raise ValueError("nothing was ever asked here: there is nothing to forecast from")
    queries, pilots, expected, draws = zip(*groups, strict=True)
    return Drawn(sum(queries), sum(pilots), np.sum(expected, axis=0), np.sum(draws, axis=0))


def drawn(
    finished: Sequence[Finished], queries: int, limits: Limits, rng: np.random.Generator
) -> Drawn:
    """What `queries` queries of one category take, of which `finished` are a random sample.

    Raises ValueError where the sample is empty or larger than what it is drawn from.
    """
    n, rest = len(finished), queries - len(finished)
    if n < 1 or rest < 0:
        raise ValueError(f"{n} finished queries are no sample of {queries}")
    values = np.array([one[1:] for one in finished], dtype=np.float64)
    known, mean = values.sum(axis=0), values.mean(axis=0)
    if rest == 0:
        return Drawn(queries, n, known, np.tile(known, (RESAMPLES, 1)))
    sums = np.empty((RESAMPLES, len(ASKED)))
    sums[:, TOKENS] = _tokens(values[:, TOKENS], rest, limits, rng)
    # What takes few values has no usable bootstrap where nearly all are alike. With the prior mass of one
    # query, Jeffreys' for two values, shares near 0 and 1 are covered well (Brown, Cai and DasGupta 2001,
    # Stat. Sci. 16:101). Elsewhere it would only pull all categories of all teachers the same way.
    for column, levels in ((ATTEMPTS, range(1, limits.attempts + 1)), (ACCEPTED, range(2))):
        found = np.array([np.sum(values[:, column] == level) for level in levels])
        counts = found + (0 if found.min() >= PLENTY else 1 / len(levels))
        sums[:, column] = rng.multinomial(rest, rng.dirichlet(counts, RESAMPLES)) @ levels
    return Drawn(queries, n, known + rest * mean, known + sums)


def _tokens(values: Floats, rest: int, limits: Limits, rng: np.random.Generator) -> Floats:
    """Draws of the TOKENS of `rest` other queries.

    The sample plays the corpus: as many are drawn from it as were looked at, and `rest` others. Where
    completions count the error is scaled by the ratio of the spreads (a bootstrap-t, Hall 1988, Ann. Stat.
    16:927): a sample that missed the long answers has both too small a mean and too small a spread.
    """
    n, mean = len(values), values.mean(axis=0)
    even = np.full(n, 1 / n)
    weights = rng.multinomial(n, even, size=RESAMPLES) / n
    others = rng.multinomial(rest, even, size=RESAMPLES) @ values
    means = weights @ values
    spreads = np.sqrt(np.maximum(weights @ values**2 - means**2, 0))
    spread = values.std(axis=0)
    scale = np.full(means.shape, _expansion(n))
    # A resample of few may have next to no spread.
    long = [TOKENS.index(column) for column in (COMPLETION, SCORED, KEPT)]
    scale[:, long] = spread[long] / np.maximum(spreads[:, long], spread[long] / WIDEST + 1e-12)
    sums = rest * mean + (others - rest * means) * scale * math.sqrt(n / max(n - 1, 1))
    most = rest * np.array([limits.attempts * limits.max_tokens, *[math.inf] * (len(TOKENS) - 1)])
    unseen = rng.binomial(rest, rng.beta(0.5, n + 0.5, size=RESAMPLES))
    for column in np.flatnonzero(spread == 0):
        # All looked alike, so some of the others may be as unlike as a query can be.
        sums[:, column] += unseen * mean[column] * (limits.attempts - 1)
    return np.clip(sums, 0, most)


def _expansion(n: int) -> float:
    """How much wider than the normal's the interval of a small sample is."""
    upper = (1 + LEVEL) / 2
    return float(stats.t.ppf(upper, n - 1) / stats.norm.ppf(upper)) if n > 1 else 1.0


def _priced(sums: Floats, cost: Cost) -> Floats:
    per = [math.nan if one is None else one for one in cost]
    tokens, prompts = sums[..., COMPLETION], sums[..., PROMPT]
    money = tokens * per[1] + prompts * per[2]
    return np.concatenate(
        [sums[..., : len(ASKED)], np.stack([tokens * per[0], money], axis=-1)], axis=-1
    )


def by_category(finished: Iterable[Finished]) -> dict[str, list[Finished]]:
    """Queries by their category, in the order of their names."""
    groups: dict[str, list[Finished]] = {}
    for one in finished:
        groups.setdefault(one.category, []).append(one)
    return dict(sorted(groups.items()))
