"""Sections that turn attempts into training sets: filters, datasets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sourcewise.params.base import Count, Fraction, Positive, Section, Whole


class PerplexityFilter(Section):
    """Drops responses above `max` (PAPER §5); `per_teacher` replaces it for the teachers it names."""

    filter: Literal["perplexity"]
    max: Positive
    per_teacher: dict[str, Positive] = {}


class NgramFilter(Section):
    """Drops responses that hold an n-gram of tokens seen more than `max_count` times in the dataset (PAPER §5)."""

    filter: Literal["ngram"]
    n: Count
    max_count: Count


class StructureFilter(Section):
    """Demands one closed reasoning and one answer, turns that alternate, and a length (PAPER §5)."""

    filter: Literal["structure"]
    require_reasoning: bool
    max_tokens: Count


Filter = Annotated[PerplexityFilter | NgramFilter | StructureFilter, Field(discriminator="filter")]


class Dataset(Section):
    """A recipe over the attempts of one or more teachers.

    `min_score` null takes attempt 1 unverified. `solved_by` keeps only queries that each of these
    teachers solved (the paper's three sets share their queries). `max_examples` is a random subset.
    """

    teachers: Annotated[tuple[str, ...], Field(min_length=1)]
    min_score: Fraction | None
    solved_by: tuple[str, ...]
    filters: tuple[str, ...]
    max_examples: Count | None
    seed: Whole
