"""Filter perplexity: drops responses that the scorer finds too unlikely (paper §5)."""

from __future__ import annotations

from collections.abc import Sequence

from sourcewise.drop import Drop
from sourcewise.params.datasets import PerplexityFilter
from sourcewise.recipes.candidates import Candidate, Candidates, Check
from sourcewise.tables import Query


def prepare(spec: PerplexityFilter, candidates: Candidates, items: Sequence[Query]) -> Check:
    """Checks against the limit of the candidate's teacher.

    Raises ValueError at a candidate without a perplexity: kept or dropped, it would be a guess.
    """

    def check(candidate: Candidate) -> Drop | None:
        response = candidate.response
        limit = spec.per_teacher.get(response.teacher, spec.max)
        if candidate.perplexity is None:
            raise ValueError(
                f"{response.teacher}, query {response.query_id}, attempt {response.attempt} has no "
                "perplexity: run the stage perplexity for this teacher again"
            )
        # Written so that a perplexity that is not a number is dropped too.
        if not candidate.perplexity <= limit:
            return Drop("above_max", f"{candidate.perplexity:.4f} > {limit:g}")
        return None

    return check
