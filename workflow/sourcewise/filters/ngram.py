"""Filter ngram: drops responses that hold an n-gram which the dataset repeats too often (paper §5).

The paper does not say what a token is, what is counted over or what is removed. Here a token is a word
or a number as `corpus.tokens` cuts them: case, signs and commands of LaTeX do not count. Counts run
over all candidates of the dataset (every occurrence, also within one response), and the whole response
goes. The think and answer tags are left out: every response holds them.

Memory stays bounded while the dataset grows: a first pass bounds the counts from above, in slots that
n-grams share, a second pass counts exactly those whose bound exceeds the limit.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sourcewise.corpus.tokens import Hashes, Indices, tokens, words
from sourcewise.corpus.windows import Windows, windows
from sourcewise.drop import Drop
from sourcewise.params.datasets import NgramFilter
from sourcewise.recipes.candidates import Candidate, Candidates, Check
from sourcewise.tables import Query
from sourcewise.text import ANSWER_CLOSE, ANSWER_OPEN, THINK_CLOSE, THINK_OPEN

TAGS = (THINK_OPEN, THINK_CLOSE, ANSWER_OPEN, ANSWER_CLOSE)
# Characters whose n-grams are looked at together: sorted, they visit the slots in their order.
BATCH = 1 << 24
# Slots, one byte each where max_count is below 255: 2 GiB hold 5 billion n-grams apart.
FEWEST, MOST = 1 << 16, 1 << 31
# Hashes that are set aside before they are summed up.
PENDING = 1 << 24

Key = tuple[str, str, int]


class Frequent(NamedTuple):
    """The n-grams above the limit in the order of their hashes, and the responses that may hold one."""

    hashes: Hashes
    counts: Indices
    holders: set[Key]


def prepare(spec: NgramFilter, candidates: Candidates, items: Sequence[Query]) -> Check:
    """Counts over all candidates; checks for an n-gram that occurs more than `max_count` times."""
    frequent = _frequent(candidates, spec, _bounds(candidates, spec))

    def check(candidate: Candidate) -> Drop | None:
        if _key(candidate) not in frequent.holders:
            return None
        found = _windows([candidate], spec.n)
        places = np.minimum(
            np.searchsorted(frequent.hashes, found.hashes), len(frequent.hashes) - 1
        )
        held = np.flatnonzero(frequent.hashes[places] == found.hashes)
        if not len(held):
            return None
        start = int(found.starts[held[0]])
        shown = " ".join(words(_text(candidate))[start : start + spec.n])
        return Drop("frequent", f"{frequent.counts[places[held[0]]]} x {shown[:200]}")

    return check


def _bounds(candidates: Candidates, spec: NgramFilter) -> npt.NDArray[np.unsignedinteger]:
    """How often the n-grams of each slot occur at most; the count ends where it exceeds the limit."""
    most = spec.max_count + 1
    bounds = np.zeros(FEWEST, np.min_scalar_type(most))
    n_seen = 0
    for batch in _batches(candidates()):
        hashes = _windows(batch, spec.n).hashes
        n_seen += len(hashes)
        while n_seen > len(bounds) < MOST:
            # What was counted together stays together: still nothing is counted too low.
            bounds = np.repeat(bounds, 2)
        slots, counts = np.unique(_slots(hashes, len(bounds)), return_counts=True)
        bounds[slots] = np.minimum(bounds[slots] + counts, most)
    return bounds


def _frequent(
    candidates: Candidates, spec: NgramFilter, bounds: npt.NDArray[np.unsignedinteger]
) -> Frequent:
    """Counts exactly those n-grams whose bound exceeds the limit."""
    counted = np.empty(0, np.uint64), np.empty(0, np.int64)
    pending: list[Hashes] = []
    holders: set[Key] = set()
    for batch in _batches(candidates()):
        found = _windows(batch, spec.n)
        likely = found.only(bounds[_slots(found.hashes, len(bounds))] > spec.max_count)
        pending.append(likely.hashes)
        holders.update(_key(batch[text]) for text in np.unique(likely.texts).tolist())
        if sum(map(len, pending)) > PENDING:
            counted = _summed(*counted, pending)
            pending = []
    hashes, counts = _summed(*counted, pending)
    above = counts > spec.max_count
    # No n-gram is frequent, then nobody holds one, whatever slots they share.
    return Frequent(hashes[above], counts[above], holders if above.any() else set())


def _summed(hashes: Hashes, counts: Indices, pending: list[Hashes]) -> tuple[Hashes, Indices]:
    """Counts with one more for each pending hash, by hash."""
    more, once = np.unique(np.concatenate([np.empty(0, np.uint64), *pending]), return_counts=True)
    every, places = np.unique(np.concatenate([hashes, more]), return_inverse=True)
    sums = np.zeros(len(every), np.int64)
    np.add.at(sums, places, np.concatenate([counts, once]))
    return every, sums


def _slots(hashes: Hashes, n_slots: int) -> Indices:
    return (hashes >> np.uint64(64 - (n_slots.bit_length() - 1))).astype(np.int64)


def _windows(batch: list[Candidate], n: int) -> Windows:
    found = tokens([_text(candidate) for candidate in batch])
    return windows(found.hashes, found.texts, n)


def _batches(candidates: Iterator[Candidate]) -> Iterator[list[Candidate]]:
    batch: list[Candidate] = []
    size = 0
    for candidate in candidates:
        batch.append(candidate)
        size += len(candidate.response.text)
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _text(candidate: Candidate) -> str:
    return functools.reduce(lambda text, tag: text.replace(tag, " "), TAGS, candidate.response.text)


def _key(candidate: Candidate) -> Key:
    response = candidate.response
    return response.teacher, response.query_id, response.attempt
