"""Filter budget: draws responses up to a number of rows or tokens, so that equal costs compare (ours)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sourcewise.drop import Drop
from sourcewise.params.datasets import BudgetFilter
from sourcewise.recipes.candidates import Candidate, Candidates, Check
from sourcewise.recipes.drawing import below, rank
from sourcewise.tables import Query


def prepare(spec: BudgetFilter, candidates: Candidates, items: Sequence[Query]) -> Check:
    """Draws in a random order and ends before the first response that no longer fits.

    Passing it over for a shorter one would favour short responses.
    """
    found = [
        (rank(candidate.query.query_id, spec.seed), candidate.response.n_tokens)
        for candidate in candidates()
    ]
    ranks = np.array([place for place, _ in found], dtype=np.uint64)
    tokens = np.array([n for _, n in found], dtype=np.int64)[np.argsort(ranks, kind="stable")]
    fitting = len(found) if spec.rows is None else min(spec.rows, len(found))
    if spec.tokens is not None:
        fitting = min(fitting, int(np.searchsorted(np.cumsum(tokens), spec.tokens, side="right")))
    limit = below(ranks, fitting)
    shown = ", ".join(
        f"{most:,} {unit}"
        for most, unit in ((spec.rows, "rows"), (spec.tokens, "tokens"))
        if most is not None
    )

    def check(candidate: Candidate) -> Drop | None:
        drawn = rank(candidate.query.query_id, spec.seed) < limit
        return None if drawn else Drop("not_drawn", f"{shown} are full")

    return check
