"""A dataset's card: what it holds and what was left at every step, in all and per teacher."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sourcewise.tables import Example

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
Waterfall = list[tuple[str, int]]
# How many rows a filter dropped for a reason.
Removed = Counter[tuple[str, str]]


@dataclass
class Tally:
    """Counts examples one by one; the numbers kept are a few per example, never texts."""

    categories: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    attempts: Counter[int] = field(default_factory=Counter)
    tokens: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    perplexities: list[float] = field(default_factory=list)

    def add(self, example: Example, source: str) -> None:
        """Counts one example."""
        self.categories[example.category] += 1
        self.sources[source] += 1
        self.attempts[example.attempt] += 1
        self.tokens.append(example.n_tokens)
        if example.score is not None:
            self.scores.append(example.score)
        if example.perplexity is not None:
            self.perplexities.append(example.perplexity)

    def numbers(self) -> dict[str, Any]:
        """The counts as the card shows them."""
        return {
            "examples": len(self.tokens),
            "categories": dict(sorted(self.categories.items())),
            "sources": dict(sorted(self.sources.items())),
            "attempts": {str(attempt): n for attempt, n in sorted(self.attempts.items())},
            "tokens": {"total": sum(self.tokens), **_summary(self.tokens)},
            "scores": {"unscored": len(self.tokens) - len(self.scores), **_summary(self.scores)},
            "perplexity": _summary(self.perplexities),
        }


def contents(
    name: str,
    recipe: dict[str, Any],
    tallies: dict[str, Tally],
    waterfalls: dict[str, Waterfall],
    removed: dict[str, Removed],
) -> dict[str, Any]:
    """The card of a dataset; the mappings are by teacher, and what stands for all is their sum.

    `waterfall` says what is left at every step, `removed` which filter dropped how many and why.
    """
    whole = Tally()
    for tally in tallies.values():
        for counter in ("categories", "sources", "attempts"):
            getattr(whole, counter).update(getattr(tally, counter))
        for numbers in ("tokens", "scores", "perplexities"):
            getattr(whole, numbers).extend(getattr(tally, numbers))
    return {
        "dataset": name,
        "recipe": recipe,
        **whole.numbers(),
        "waterfall": summed(waterfalls),
        "removed": _listed(sum(removed.values(), Counter())),
        "teachers": {
            teacher: {
                **tallies[teacher].numbers(),
                "waterfall": waterfalls[teacher],
                "removed": _listed(removed[teacher]),
            }
            for teacher in tallies
        },
    }


def summed(waterfalls: dict[str, Waterfall]) -> Waterfall:
    """What is left at every step over all teachers; every teacher has the same steps."""
    by_step = zip(*waterfalls.values(), strict=True)
    return [(steps[0][0], sum(left for _, left in steps)) for steps in by_step]


def _listed(removed: Removed) -> list[tuple[str, str, int]]:
    """Filter, reason and rows, most of them first."""
    return [(*by, n) for by, n in sorted(removed.items(), key=lambda item: (-item[1], item[0]))]


def _summary(numbers: Sequence[float]) -> dict[str, Any]:
    if not numbers:
        return {"n": 0, "mean": None, "quantiles": {}}
    quantiles = np.quantile(numbers, QUANTILES)
    return {
        "n": len(numbers),
        "mean": round(float(np.mean(numbers)), 4),
        "quantiles": {
            f"{q:g}": round(float(value), 4) for q, value in zip(QUANTILES, quantiles, strict=True)
        },
    }
