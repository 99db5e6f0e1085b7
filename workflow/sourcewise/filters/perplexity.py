"""Filter perplexity: drops responses that the scorer finds too unlikely (paper §5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import inf, isnan

import numpy as np

from sourcewise.drop import Drop
from sourcewise.params.datasets import PerplexityFilter
from sourcewise.recipes.candidates import Candidate, Candidates, Check
from sourcewise.tables import Query


def prepare(spec: PerplexityFilter, candidates: Candidates, items: Sequence[Query]) -> Check:
    """Checks against the limits of the candidate's teacher.

    Raises ValueError at a candidate without a perplexity: kept or dropped, it would be a guess.
    """
    quantiles = {} if spec.quantile is None else _quantiles(candidates, spec, spec.quantile)

    def check(candidate: Candidate) -> Drop | None:
        teacher, perplexity = candidate.response.teacher, _perplexity(candidate, spec)
        limit = spec.per_teacher.get(teacher, spec.max)
        # Written so that a perplexity that is not a number is dropped too.
        if limit is not None and not perplexity <= limit:
            return Drop("above_max", f"{perplexity:.4f} > {limit:g}")
        if teacher in quantiles and not perplexity <= quantiles[teacher]:
            return Drop("above_quantile", f"{perplexity:.4f} > {quantiles[teacher]:.4f}")
        return None

    return check


def _quantiles(candidates: Candidates, spec: PerplexityFilter, share: float) -> dict[str, float]:
    """The quantile of each teacher's candidates, one of their values; what is no number counts as high."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for candidate in candidates():
        perplexity = _perplexity(candidate, spec)
        found[candidate.response.teacher].append(inf if isnan(perplexity) else perplexity)
    return {
        teacher: float(np.quantile(values, share, method="inverted_cdf"))
        for teacher, values in found.items()
    }


def _perplexity(candidate: Candidate, spec: PerplexityFilter) -> float:
    """That of the filter's scorer."""
    found = candidate.perplexity if spec.scorer is None else candidate.perplexities.get(spec.scorer)
    if found is None:
        response = candidate.response
        raise ValueError(
            f"{response.teacher}, query {response.query_id}, attempt {response.attempt} has no "
            f"perplexity{'' if spec.scorer is None else f' by {spec.scorer}'}: run the stage perplexity for "
            "this teacher again"
        )
    return found
