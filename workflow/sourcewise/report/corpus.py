"""From collected queries to training examples: how many rows each step removed, and why."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from sourcewise.tables import Contamination

# Pairs of texts that the page shows.
LISTED = 200
REJECT_COLUMNS = ("by", "reason")
EXAMPLE_COLUMNS = ("category", "n_tokens", "attempt", "perplexity")


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
class Evidence:
    """What decontamination found: counts by layer, and the pairs of the lowest scores to read."""

    n_pairs: int
    n_queries: int
    layers: list[Layer]
    closest: list[Contamination]


@dataclass
class DatasetNumbers:
    """A dataset as it is trained on; rows are added part by part."""

    name: str
    tokens: int = 0
    categories: Counter[str] = field(default_factory=Counter)
    n_first: int = 0
    n_perplexities: int = 0
    perplexities: float = 0.0

    def add(self, part: pa.Table) -> None:
        """Takes in the EXAMPLE_COLUMNS of some rows."""
        counted = pc.value_counts(part.column("category").combine_chunks()).to_pylist()
        self.categories.update({one["values"]: one["counts"] for one in counted})
        perplexity = part.column("perplexity")
        self.tokens += pc.sum(part.column("n_tokens")).as_py() or 0
        self.n_first += pc.sum(pc.equal(part.column("attempt"), 1)).as_py() or 0
        self.n_perplexities += len(perplexity) - perplexity.null_count
        self.perplexities += pc.sum(perplexity).as_py() or 0.0

    @property
    def examples(self) -> int:
        """Rows to train on."""
        return self.categories.total()

    @property
    def mean_tokens(self) -> float | None:
        """Tokens per example."""
        return self.tokens / self.examples if self.examples else None

    @property
    def first_attempt(self) -> float | None:
        """The share of examples that are a teacher's first attempt."""
        return self.n_first / self.examples if self.examples else None

    @property
    def perplexity(self) -> float | None:
        """The mean over the examples that have one."""
        return self.perplexities / self.n_perplexities if self.n_perplexities else None


def reasons(parts: Iterable[pa.Table]) -> Counter[tuple[str, str]]:
    """How many rows each stage or filter rejected for which reason, from their REJECT_COLUMNS."""
    found: Counter[tuple[str, str]] = Counter()
    for part in parts:
        for one in part.group_by(list(REJECT_COLUMNS)).aggregate([([], "count_all")]).to_pylist():
            found[one["by"], one["reason"]] += one["count_all"]
    return found


def waterfall(
    start: str,
    n: int,
    reasons: Mapping[tuple[str, str], int],
    end: str,
    left: int,
    *,
    order: Sequence[str],
) -> list[Step]:
    """Steps from n rows to the rows left: stages and filters in `order`, then the commonest reason.

    Where rejects and counts disagree, the difference is a step of its own, so that no row vanishes.
    """
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


def evidence(pairs: Iterable[Contamination]) -> Evidence:
    """Counts of contaminated queries per source, benchmark and layer, and the pairs to read."""
    counted: defaultdict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0, 0.0])
    contaminated: set[str] = set()

    def seen() -> Iterable[Contamination]:
        for pair in pairs:
            of = counted[pair.source, pair.benchmark, pair.layer]
            of[:] = of[0] + 1, max(of[1], pair.score)
            contaminated.add(pair.query_id)
            yield pair

    closest = heapq.nsmallest(LISTED, seen(), key=lambda p: (p.score, p.query_id, p.item_id))
    found = [Layer(*key, int(n), highest) for key, (n, highest) in sorted(counted.items())]
    return Evidence(sum(one.n for one in found), len(contaminated), found, closest)
