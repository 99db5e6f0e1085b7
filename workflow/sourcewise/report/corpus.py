"""From collected queries to training examples: how many rows each step removed, and why."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sourcewise.tables import Contamination, Example, Reject


@dataclass(frozen=True)
class Step:
    """A level of the waterfall: rows that are left, or rows that `reason` removed."""

    label: str
    left: int
    removed: int = 0


@dataclass(frozen=True)
class Layer:
    """Contaminated queries of one source that one layer found in one benchmark."""

    source: str
    benchmark: str
    layer: str
    n: int
    closest: float


@dataclass(frozen=True)
class DatasetNumbers:
    """A dataset as it is trained on."""

    name: str
    examples: int
    tokens: int
    categories: dict[str, int]
    first_attempt: float | None
    perplexity: float | None

    @property
    def mean_tokens(self) -> float | None:
        """Tokens per example."""
        return self.tokens / self.examples if self.examples else None


def waterfall(
    start: str, n: int, rejects: Iterable[Reject], end: str, left: int, *, order: Sequence[str]
) -> list[Step]:
    """Steps from n rows to the rows left: stages and filters in `order`, then the commonest reason.

    Where rejects and counts disagree, the difference is a step of its own, so that no row vanishes.
    """
    reasons = Counter((reject.by, reject.reason) for reject in rejects)
    ranks = {by: rank for rank, by in enumerate(order)}
    steps = [Step(start, n)]
    for (by, reason), removed in sorted(
        reasons.items(), key=lambda item: (ranks.get(item[0][0], len(ranks)), -item[1], item[0])
    ):
        label = reason if by == reason else f"{by}: {reason}"
        steps.append(Step(label.replace("_", " "), steps[-1].left - removed, removed))
    unexplained = steps[-1].left - left
    if unexplained:
        steps.append(Step("without a recorded reason", left, unexplained))
    return [*steps, Step(end, left)]


def layers(evidence: Sequence[Contamination]) -> list[Layer]:
    """Counts of contaminated queries per source, benchmark and layer."""
    found: defaultdict[tuple[str, str, str], list[float]] = defaultdict(list)
    for pair in evidence:
        found[pair.source, pair.benchmark, pair.layer].append(pair.score)
    return [Layer(*key, len(values), max(values)) for key, values in sorted(found.items())]


def dataset(name: str, examples: Iterable[Example]) -> DatasetNumbers:
    """The size, mix and perplexity of a dataset."""
    categories: Counter[str] = Counter()
    tokens = first = 0
    perplexities = []
    for example in examples:
        categories[example.category] += 1
        tokens += example.n_tokens
        first += example.attempt == 1
        if example.perplexity is not None:
            perplexities.append(example.perplexity)
    n = sum(categories.values())
    return DatasetNumbers(
        name=name,
        examples=n,
        tokens=tokens,
        categories=dict(sorted(categories.items())),
        first_attempt=first / n if n else None,
        perplexity=math.fsum(perplexities) / len(perplexities) if perplexities else None,
    )
