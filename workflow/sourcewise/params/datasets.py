"""Sections that turn attempts into training sets: filters, datasets."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sourcewise.params.base import Count, Fraction, Positive, Section, Whole
from sourcewise.params.overlap import Overlap


class PerplexityFilter(Section):
    """Drops responses above `max` (paper §5); `per_teacher` replaces it for the teachers it names.

    `quantile` drops, besides, what lies above that quantile of the candidates of its teacher: each loses
    the same share.
    """

    filter: Literal["perplexity"]
    max: Positive | None = None
    per_teacher: dict[str, Positive] = {}
    quantile: Fraction | None = None

    @model_validator(mode="after")
    def _a_limit(self) -> Self:
        if self.max is None and self.quantile is None:
            raise ValueError("give 'max', 'quantile' or both")
        return self


class NgramFilter(Section):
    """Drops responses with an n-gram of tokens seen more than `max_count` times in the dataset (paper §5)."""

    filter: Literal["ngram"]
    n: Count
    max_count: Count


class StructureFilter(Section):
    """Demands one closed reasoning and one answer, turns that alternate, and a length (paper §5).

    `max_repeats`, where given, also drops a response in which a phrase follows itself more often.
    """

    filter: Literal["structure"]
    require_reasoning: bool
    max_tokens: Count
    max_repeats: Count | None = None


class BenchmarkTextFilter(Overlap):
    """Drops responses that hold an item of a benchmark, or enough of its words (ours)."""

    filter: Literal["benchmark_text"]


class LengthsFilter(Section):
    """Draws responses so that their tokens are spread over spans (0, a], (a, b], … as `shares` say; ours.

    `edges` are the upper ends, ascending; `shares` null is uniform, "matched" are those of the dataset that
    a recipe's `lengths_of` names. Longer responses are dropped.
    """

    filter: Literal["lengths"]
    edges: Annotated[tuple[Count, ...], Field(min_length=1)]
    shares: tuple[Annotated[float, Field(ge=0.0)], ...] | Literal["matched"] | None
    seed: Whole

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if any(a >= b for a, b in pairwise(self.edges)):
            raise ValueError("'edges' must ascend")
        if isinstance(self.shares, tuple):
            if len(self.shares) != len(self.edges):
                raise ValueError(f"{len(self.shares)} 'shares' for {len(self.edges)} 'edges'")
            if not sum(self.shares):
                raise ValueError("'shares' are all 0")
        return self


class BudgetFilter(Section):
    """Draws responses up to a number of rows, of tokens, or whichever is full first; ours."""

    filter: Literal["budget"]
    rows: Count | None
    tokens: Count | None
    seed: Whole

    @model_validator(mode="after")
    def _a_limit(self) -> Self:
        if self.rows is None and self.tokens is None:
            raise ValueError("give 'rows', 'tokens' or both")
        return self


Filter = Annotated[
    PerplexityFilter
    | NgramFilter
    | StructureFilter
    | BenchmarkTextFilter
    | LengthsFilter
    | BudgetFilter,
    Field(discriminator="filter"),
]


class Dataset(Section):
    """A recipe over the attempts of one or more teachers.

    `min_score` null takes attempt 1 unverified; else `take` says which of the attempts that reach it: the
    first, as a loop that stops there has it, the last, or the first of the best score. `solved_by` keeps
    only queries that each of these teachers solved at `min_score` (the paper's three sets share their
    queries). `max_examples` limits the selection to a random subset. `lengths_of` names the dataset whose
    lengths a filter with matched shares takes over.
    """

    teachers: Annotated[tuple[str, ...], Field(min_length=1)]
    min_score: Fraction | None
    take: Literal["first", "best", "last"] = "first"
    solved_by: tuple[str, ...]
    filters: tuple[str, ...]
    lengths_of: str | None
    max_examples: Count | None
    seed: Whole

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.take != "first" and self.min_score is None:
            raise ValueError(f"'take' {self.take} needs 'min_score': without it attempt 1 is taken")
        if self.solved_by and self.min_score is None:
            raise ValueError("'solved_by' needs 'min_score': solved means a score of at least this")
        if len(set(self.teachers)) < len(self.teachers):
            raise ValueError("'teachers' names a teacher twice")
        return self
