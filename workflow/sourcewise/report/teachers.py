"""What teachers did in the retry loop, a row per query of the corpus: acceptance, lengths, perplexity.

Kept by column, a shard after the other: at the paper's 1.89 million queries a teacher is 21 bytes a query.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sourcewise import statistics
from sourcewise.params.queries import Category
from sourcewise.report.scores import UNJUDGED

ACCEPTED, REJECTED = "accepted", "scored too low"
CATEGORIES: tuple[str, ...] = tuple(sorted(get_args(Category)))
# What the columns below hold where there is nothing.
NONE = -1
VERDICT_COLUMNS = ("query_id", "status", "score")
RESPONSE_COLUMNS = ("query_id", "finish_reason", "n_tokens")
PERPLEXITY_COLUMNS = ("query_id", "attempt", "perplexity")

Numbers = npt.NDArray[Any]


@dataclass
class Round:
    """One attempt at all queries that were still open: how many ended with which outcome."""

    outcomes: Counter[str] = field(default_factory=Counter)
    n_tokens: int = 0
    n_truncated: int = 0
    n_responses: int = 0


class Columns(NamedTuple):
    """A value per query: `category` is a place in CATEGORIES, `attempts` counts the judged ones.

    `accepted_at` is the first attempt that was accepted, 0 for none; `tokens` and `perplexity` are those of
    that response, `first_judged`, `first_tokens` and `first_cut` are of attempt 1. NONE or nan stand where
    there is nothing.
    """

    category: Numbers
    attempts: Numbers
    accepted_at: Numbers
    tokens: Numbers
    perplexity: Numbers
    first_judged: Numbers
    first_tokens: Numbers
    first_cut: Numbers


class Queries(NamedTuple):
    """The queries of a shard: their identities and places in CATEGORIES."""

    ids: pa.Array
    categories: Numbers


def queries(table: pa.Table) -> Queries:
    """The columns `query_id` and `category` of a Query table."""
    ids, names = (table.column(name).combine_chunks() for name in ("query_id", "category"))
    places = pc.fill_null(pc.index_in(names, value_set=pa.array(CATEGORIES)), NONE)
    if pc.any(pc.less(places, 0)).as_py():
        raise ValueError(f"the corpus holds a category that is none of {', '.join(CATEGORIES)}")
    return Queries(ids, places.to_numpy().astype(np.int8))


@dataclass
class TeacherNumbers:
    """Everything that the report says of a teacher; rows are added shard by shard, the corpus's order."""

    name: str
    stop_score: float
    rounds: list[Round] = field(default_factory=list)
    shards: list[Columns] = field(default_factory=list)

    def add(
        self,
        shard: Queries,
        rounds: Sequence[tuple[pa.Table, pa.Table]],
        perplexities: pa.Table,
    ) -> None:
        """Takes in a shard: the verdicts and responses of its rounds in order, and its perplexities.

        Raises ValueError for a row of a query that the corpus does not hold.
        """
        n = len(shard.ids)
        columns = Columns(
            category=shard.categories,
            attempts=np.zeros(n, np.int8),
            accepted_at=np.zeros(n, np.int8),
            tokens=np.full(n, NONE, np.int32),
            perplexity=np.full(n, np.nan),
            first_judged=np.zeros(n, np.bool_),
            first_tokens=np.full(n, NONE, np.int32),
            first_cut=np.zeros(n, np.bool_),
        )
        self.rounds += [Round() for _ in range(len(rounds) - len(self.rounds))]
        for attempt, (verdicts, responses) in enumerate(rounds, start=1):
            self._judged(columns, shard, verdicts, attempt)
            self._answered(columns, shard, responses, attempt)
        places = self._places(shard, perplexities)
        accepted = columns.accepted_at[places] == _numpy(perplexities, "attempt")
        # Written last to first: of an attempt's rows the first scorer's comes first, and stays.
        found = _numpy(perplexities, "perplexity")[accepted]
        columns.perplexity[places[accepted][::-1]] = found[::-1]
        self.shards.append(columns)

    def _judged(self, columns: Columns, shard: Queries, table: pa.Table, attempt: int) -> None:
        places, scores = self._places(shard, table), _numpy(table, "score")
        accepted = scores >= self.stop_score
        status = table.column("status").combine_chunks()
        counted = pc.value_counts(status.filter(pa.array(np.isnan(scores))))
        outcomes = {one["values"]: one["counts"] for one in counted.to_pylist()}
        outcomes |= {ACCEPTED: int(accepted.sum()), REJECTED: int((scores < self.stop_score).sum())}
        self.rounds[attempt - 1].outcomes.update(outcomes)
        unjudged = pc.is_in(status, value_set=pa.array(sorted(UNJUDGED)))
        judged = places[~unjudged.to_numpy(zero_copy_only=False)]
        columns.attempts[judged] += 1
        if attempt == 1:
            columns.first_judged[judged] = True
        fresh = places[accepted]
        fresh = fresh[columns.accepted_at[fresh] == 0]
        columns.accepted_at[fresh] = attempt

    def _answered(self, columns: Columns, shard: Queries, table: pa.Table, attempt: int) -> None:
        places, tokens = self._places(shard, table), _numpy(table, "n_tokens")
        cut = pc.equal(table.column("finish_reason").combine_chunks(), "length")
        cut = cut.to_numpy(zero_copy_only=False)
        this = self.rounds[attempt - 1]
        this.n_responses += len(table)
        this.n_tokens += int(tokens.sum())
        this.n_truncated += int(cut.sum())
        accepted = columns.accepted_at[places] == attempt
        columns.tokens[places[accepted]] = tokens[accepted]
        if attempt == 1:
            columns.first_tokens[places] = tokens
            columns.first_cut[places] = cut

    def _places(self, shard: Queries, table: pa.Table) -> Numbers:
        found = pc.index_in(table.column("query_id").combine_chunks(), value_set=shard.ids)
        if found.null_count:
            raise ValueError(
                f"teacher {self.name} was asked {found.null_count:,} queries that the corpus does not hold: "
                "run snakemake, which makes its tables anew"
            )
        return found.to_numpy()

    @cached_property
    def columns(self) -> Columns:
        """The columns over all shards, in the order of the corpus."""
        if not self.shards:
            empty = Queries(pa.array([], pa.string()), np.zeros(0, np.int8))
            nothing = (pa.table({name: [] for name in PERPLEXITY_COLUMNS}),)
            self.add(empty, [], *nothing)
        return Columns(*(np.concatenate(parts) for parts in zip(*self.shards, strict=True)))

    @cached_property
    def is_judged(self) -> Numbers:
        """Whether a query has an attempt that the verifier could judge."""
        return self.columns.attempts > 0

    @property
    def n_judged(self) -> int:
        """Queries with such an attempt."""
        return int(self.is_judged.sum())

    @property
    def n_accepted(self) -> int:
        """Queries with an accepted response."""
        return int((self.columns.accepted_at > 0).sum())

    @property
    def categories(self) -> list[str]:
        """The categories of the queries that were judged."""
        return [CATEGORIES[code] for code in np.unique(self.columns.category[self.is_judged])]

    @cached_property
    def lengths(self) -> Mapping[str, Numbers]:
        """Tokens of accepted responses, by category."""
        return self._by_category(self.columns.tokens, self.columns.tokens > NONE)

    @cached_property
    def perplexities(self) -> Mapping[str, Numbers]:
        """Perplexities of accepted responses, by category."""
        return self._by_category(self.columns.perplexity, ~np.isnan(self.columns.perplexity))

    def _by_category(self, values: Numbers, there: Numbers) -> dict[str, Numbers]:
        own = self.columns.category[there]
        values = values[there]
        return {CATEGORIES[code]: values[own == code] for code in np.unique(own)}

    def acceptance(
        self,
        *,
        attempts: int,
        confidence: float,
        category: str | None = None,
        among: Numbers | None = None,
    ) -> statistics.Interval | None:
        """The share of judged queries that were accepted within so many attempts; None without any.

        `category` and `among`, a truth value per query, take a part of them.
        """
        taken = self.is_judged
        if category is not None:
            taken = taken & (self.columns.category == CATEGORIES.index(category))
        if among is not None:
            taken = taken & among
        n = int(taken.sum())
        if not n:
            return None
        at = self.columns.accepted_at[taken]
        return statistics.wilson(int(((at > 0) & (at <= attempts)).sum()), n, confidence)

    @property
    def mean_attempts(self) -> float | None:
        """Attempts per accepted query."""
        at = self.columns.accepted_at
        return int(at.sum(dtype=np.int64)) / self.n_accepted if self.n_accepted else None

    @property
    def n_responses(self) -> int:
        """Responses over all rounds."""
        return sum(one.n_responses for one in self.rounds)

    @property
    def n_tokens(self) -> int:
        """Tokens of all completions, failures included."""
        return sum(one.n_tokens for one in self.rounds)

    @property
    def n_unjudged(self) -> int:
        """Verdicts that say nothing of the teacher."""
        return sum(one.outcomes[status] for one in self.rounds for status in UNJUDGED)

    @property
    def truncated(self) -> float | None:
        """The share of responses that ran into the token limit."""
        cut = sum(one.n_truncated for one in self.rounds)
        return cut / self.n_responses if self.n_responses else None

    @property
    def tokens_per_accepted(self) -> float | None:
        """All tokens that were generated, failures included, for each accepted response."""
        return self.n_tokens / self.n_accepted if self.n_accepted else None


def _numpy(table: pa.Table, column: str) -> Numbers:
    """A column of numbers; nan where it is null."""
    return table.column(column).to_numpy()
