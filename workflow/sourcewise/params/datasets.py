"""Sections that turn attempts into training sets: filters, datasets."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sourcewise.params.base import Count, Fraction, Positive, Section, Whole
from sourcewise.params.overlap import Overlap


class PerplexityFilter(Section):
    """Drops responses above `max` (paper §5); `per_teacher` replaces it for the teachers it names."""

    filter: Literal["perplexity"]
    max: Positive
    per_teacher: dict[str, Positive] = {}


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


Filter = Annotated[
    PerplexityFilter | NgramFilter | StructureFilter | BenchmarkTextFilter,
    Field(discriminator="filter"),
]


class Dataset(Section):
    """A recipe over the attempts of one or more teachers.

    `min_score` null takes attempt 1 unverified. `solved_by` keeps only queries that each of these
    teachers solved at `min_score` (the paper's three sets share their queries). `max_examples` limits
    the selection to a random subset.
    """

    teachers: Annotated[tuple[str, ...], Field(min_length=1)]
    min_score: Fraction | None
    solved_by: tuple[str, ...]
    filters: tuple[str, ...]
    max_examples: Count | None
    seed: Whole

    @model_validator(mode="after")
    def _solved_at_a_score(self) -> Self:
        if self.solved_by and self.min_score is None:
            raise ValueError("'solved_by' needs 'min_score': solved means a score of at least this")
        if len(set(self.teachers)) < len(self.teachers):
            raise ValueError("'teachers' names a teacher twice")
        return self
