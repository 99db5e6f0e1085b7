"""Filter lengths: draws responses so that their lengths are spread as asked for (ours).

The paper credits the best teacher's spread of lengths and does not test that. Between a dataset as it is and
the same one spread evenly, or between two teachers given the same shares, what of a student's score is length
and what is the teacher's can be told apart.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sourcewise import tables
from sourcewise.drop import Drop
from sourcewise.params.datasets import LengthsFilter
from sourcewise.recipes.candidates import Candidate, Candidates, Check
from sourcewise.recipes.drawing import below, rank
from sourcewise.tables import Example, Query


def prepare(spec: LengthsFilter, candidates: Candidates, items: Sequence[Query]) -> Check:
    """Draws from each span of tokens its share of the largest dataset that all spans can fill.

    Raises ValueError where a span that must have a share has no response.
    """
    if spec.shares == "matched":
        raise ValueError("the shares are to be matched, and no dataset is named: set 'lengths_of'")
    shares = np.array(spec.shares or [1.0] * len(spec.edges))
    shares /= shares.sum()
    found = [
        (span, rank(candidate.query.query_id, spec.seed))
        for candidate in candidates()
        if (span := _span(candidate, spec)) is not None
    ]
    spans = np.array([span for span, _ in found], dtype=np.int64)
    ranks = np.array([place for _, place in found], dtype=np.uint64)
    counts = np.bincount(spans, minlength=len(spec.edges))
    wanted = np.flatnonzero(shares)
    empty = [_shown(span, spec) for span in wanted.tolist() if not counts[span]]
    if empty:
        raise ValueError(
            f"no response has {' or '.join(empty)} tokens, which are to be {shares.max():.3g} of all or "
            "less: correct 'edges' or 'shares' of the filter"
        )
    total = float((counts[wanted] / shares[wanted]).min())
    # Quotas of whole responses; the sum of floats may fall short of a whole number by a hair.
    quotas = np.floor(total * shares + 1e-9).astype(np.int64)
    limits = [below(ranks[spans == span], int(quota)) for span, quota in enumerate(quotas)]

    def check(candidate: Candidate) -> Drop | None:
        span = _span(candidate, spec)
        if span is None:
            return Drop("too_long", f"{candidate.response.n_tokens} > {spec.edges[-1]}")
        if rank(candidate.query.query_id, spec.seed) < limits[span]:
            return None
        return Drop(
            "not_drawn", f"{quotas[span]} of {counts[span]} with {_shown(span, spec)} tokens"
        )

    return check


def matched(spec: LengthsFilter, examples: Path) -> LengthsFilter:
    """The filter with the shares that the spans have in a dataset (an Example table).

    Raises ValueError where all of its examples are longer than the spans.
    """
    counts = np.zeros(len(spec.edges) + 1, dtype=np.int64)
    for batch in tables.batches(examples, Example, columns=["n_tokens"]):
        spans = np.searchsorted(spec.edges, batch["n_tokens"].to_numpy())
        counts += np.bincount(spans, minlength=len(counts))
    if not counts[:-1].any():
        raise ValueError(f"{examples} has no example of at most {spec.edges[-1]} tokens")
    return spec.model_copy(update={"shares": tuple(counts[:-1].astype(float).tolist())})


def _span(candidate: Candidate, spec: LengthsFilter) -> int | None:
    """The span (a, b] that a response's tokens lie in, None above the last."""
    span = bisect_left(spec.edges, candidate.response.n_tokens)
    return span if span < len(spec.edges) else None


def _shown(span: int, spec: LengthsFilter) -> str:
    return f"{spec.edges[span - 1] + 1 if span else 0} to {spec.edges[span]}"
