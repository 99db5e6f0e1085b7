"""Filter benchmark_text: drops responses that recite a benchmark's item; decontamination looks at queries only.

Two layers of decontamination decide: the item's words, contiguous; or `share` of them (or of the
response's) in runs of `n` words that both have. What the query itself says is no recital: a response may
quote it. Items of fewer words than decontamination's shortest run are not looked for: in a long text they
prove nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from sourcewise.corpus.decontamination import ExactLayer, Match, OverlapLayer, sought_texts
from sourcewise.corpus.tokens import Tokens, tokens
from sourcewise.corpus.windows import windows
from sourcewise.drop import Drop
from sourcewise.params.datasets import BenchmarkTextFilter
from sourcewise.params.overlap import MIN_RUN
from sourcewise.recipes.candidates import Candidate, Candidates, Check
from sourcewise.tables import Query
from sourcewise.text import query_text

# Characters of the evidence that a Reject shows.
SHOWN = 300


def prepare(spec: BenchmarkTextFilter, candidates: Candidates, items: Sequence[Query]) -> Check:
    """Checks against the items; a Drop names the item, the score and the words that both have."""
    items, wanted = sought_texts(items)
    sought = tokens(wanted)
    exact = ExactLayer(items, sought)
    overlap = OverlapLayer(items, sought, spec, masked=False)

    def check(candidate: Candidate) -> Drop | None:
        text = candidate.response.text
        given = tokens([text])
        if held := list(exact.contained(given)):
            asked = _asked(candidate.query)
            for _, number in sorted(set(held) - set(exact.contained(asked))):
                return _drop("exact", Match(items[number], 1.0), text, given, MIN_RUN)
        if 0 in overlap.find(given):
            asked = _asked(candidate.query)
            if match := overlap.find(given, apart=asked).get(0):
                return _drop("ngram", match, text, given, spec.n, asked)
        return None

    return check


def _asked(query: Query) -> Tokens:
    """The words of all turns of a query, as one text."""
    return tokens(["\n".join(turn.content for turn in query.messages)])


def _drop(
    layer: str, match: Match, text: str, given: Tokens, n: int, apart: Tokens | None = None
) -> Drop:
    """Shows the longest stretch of runs of n words that a response and an item have, but not `apart`."""
    runs = windows(given.hashes, given.texts, n)
    item = tokens([query_text(match.item.messages)])
    both = np.isin(runs.hashes, windows(item.hashes, item.texts, n).hashes)
    if apart is not None:
        both &= ~np.isin(runs.hashes, windows(apart.hashes, apart.texts, n).hashes)
    starts = runs.starts[both]
    longest = max(np.split(starts, np.flatnonzero(np.diff(starts) > 1) + 1), key=len)
    passage = text[_place(text, int(longest[0])) : _place(text, int(longest[-1]) + n)]
    where = f"{match.item.source}/{match.item.query_id} {match.score:.3f}"
    return Drop(layer, f"{where}: {' '.join(passage.split())[:SHOWN]}")


def _place(text: str, number: int) -> int:
    """Where a token begins: at the last character of the shortest start of the text that has it."""
    ends = range(1, len(text) + 1)
    return bisect_left(ends, number + 1, key=lambda end: len(tokens([text[:end]]).hashes))
