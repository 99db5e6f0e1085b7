"""Filter ngram: drops responses that hold an n-gram which the dataset repeats too often (paper §5).

The paper does not say what a token is, what is counted over or what is removed: `unit`, `scope` and `repeats`
are the filter's parameters, and the whole response goes. The think and answer tags are left out: every
response holds them.

Memory stays bounded while the dataset grows: a first pass bounds the counts from above, in slots that
n-grams share, a second pass counts exactly those whose bound exceeds the limit. In both, processes of
their own take the texts apart.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sourcewise.corpus.tokens import Hashes, Indices
from sourcewise.corpus.units import Unit, unit
from sourcewise.corpus.windows import Windows, windows
from sourcewise.drop import Drop
from sourcewise.params.datasets import NgramFilter
from sourcewise.recipes.candidates import Candidate, Candidates, Check
from sourcewise.spreading import spread
from sourcewise.tables import Query
from sourcewise.text import ANSWER_CLOSE, ANSWER_OPEN, THINK_CLOSE, THINK_OPEN

TAGS = (THINK_OPEN, THINK_CLOSE, ANSWER_OPEN, ANSWER_CLOSE)
# Characters whose n-grams are looked at together: sorted, they visit the slots in their order.
BATCH = 1 << 23
# Slots, one byte each where max_count is below 255: 2 GiB hold 5 billion n-grams apart.
FEWEST, MOST = 1 << 16, 1 << 31
# Hashes that are set aside before they are summed up.
PENDING = 1 << 24

Key = tuple[str, str, int]
Bounds = npt.NDArray[np.unsignedinteger]
Find = Callable[["Batch"], Windows]


class Batch(NamedTuple):
    """Responses that are looked at together: keys, texts, and what sets the n-grams of their scope apart."""

    keys: list[Key]
    texts: list[str]
    scopes: list[int]


class Frequent(NamedTuple):
    """The n-grams above the limit in the order of their hashes, and the responses that may hold one."""

    hashes: Hashes
    counts: Indices
    holders: set[Key]


class Likely(NamedTuple):
    """What may be above the limit in a batch: each occurrence's hash, and the responses that have one."""

    hashes: Hashes
    holders: list[Key]


def prepare(spec: NgramFilter, candidates: Candidates, items: Sequence[Query]) -> Check:
    """Counts over all candidates; checks for an n-gram that occurs more than `max_count` times."""
    made_of = unit(spec.unit, spec.tokenizer, spec.revision)
    find = functools.partial(_windows, spec=spec, made_of=made_of)
    frequent = _frequent(candidates, spec, find, _bounds(candidates, spec, find))

    def check(candidate: Candidate) -> Drop | None:
        if _key(candidate) not in frequent.holders:
            return None
        found = find(_batch([candidate], spec))
        places = np.minimum(
            np.searchsorted(frequent.hashes, found.hashes), len(frequent.hashes) - 1
        )
        held = np.flatnonzero(frequent.hashes[places] == found.hashes)
        if not len(held):
            return None
        start = int(found.starts[held[0]])
        shown = made_of.shown(_text(candidate.response.text), start, start + spec.n)
        return Drop("frequent", f"{frequent.counts[places[held[0]]]} x {shown[:200]}")

    return check


def _bounds(candidates: Candidates, spec: NgramFilter, find: Find) -> Bounds:
    """How often the n-grams of each slot occur at most; the count ends where it exceeds the limit."""
    most = spec.max_count + 1
    bounds = np.zeros(FEWEST, np.min_scalar_type(most))
    n_seen = 0
    sort = functools.partial(_sorted, find)
    for hashes in spread(sort, _batches(candidates(), spec), processes=_processes()):
        n_seen += len(hashes)
        while n_seen > len(bounds) < MOST:
            # What was counted together stays together: still nothing is counted too low.
            bounds = np.repeat(bounds, 2)
        slots, counts = _runs(_slots(hashes, len(bounds)))
        bounds[slots] = np.minimum(bounds[slots] + counts, most)
    return bounds


def _frequent(candidates: Candidates, spec: NgramFilter, find: Find, bounds: Bounds) -> Frequent:
    """Counts exactly those n-grams whose bound exceeds the limit."""
    counted = np.empty(0, np.uint64), np.empty(0, np.int64)
    pending: list[Hashes] = []
    holders: set[Key] = set()
    look = functools.partial(_likely, find, bounds, spec.max_count)
    for likely in spread(look, _batches(candidates(), spec), processes=_processes()):
        pending.append(likely.hashes)
        holders.update(likely.holders)
        if sum(map(len, pending)) > PENDING:
            counted = _summed(*counted, pending)
            pending = []
    hashes, counts = _summed(*counted, pending)
    above = counts > spec.max_count
    # No n-gram is frequent, then nobody holds one, whatever slots they share.
    return Frequent(hashes[above], counts[above], holders if above.any() else set())


def _sorted(find: Find, batch: Batch) -> Hashes:
    return np.sort(find(batch).hashes)


def _likely(find: Find, bounds: Bounds, max_count: int, batch: Batch) -> Likely:
    found = find(batch)
    likely = found.only(bounds[_slots(found.hashes, len(bounds))] > max_count)
    return Likely(likely.hashes, [batch.keys[text] for text in np.unique(likely.texts).tolist()])


def _runs(ordered: Indices) -> tuple[Indices, Indices]:
    """The different numbers of an ordered array, and how often each is there."""
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    return ordered[starts], np.diff(starts, append=len(ordered))


def _summed(hashes: Hashes, counts: Indices, pending: list[Hashes]) -> tuple[Hashes, Indices]:
    """Counts with one more for each pending hash, by hash."""
    more, once = np.unique(np.concatenate([np.empty(0, np.uint64), *pending]), return_counts=True)
    every, places = np.unique(np.concatenate([hashes, more]), return_inverse=True)
    sums = np.zeros(len(every), np.int64)
    np.add.at(sums, places, np.concatenate([counts, once]))
    return every, sums


def _slots(hashes: Hashes, n_slots: int) -> Indices:
    return (hashes >> np.uint64(64 - (n_slots.bit_length() - 1))).astype(np.int64)


def _windows(batch: Batch, *, spec: NgramFilter, made_of: Unit) -> Windows:
    """The n-grams of a batch; the same one in another scope has another hash."""
    units = made_of.cut(list(map(_text, batch.texts)))
    found = windows(units.hashes, units.texts, spec.n)
    if spec.scope != "dataset":
        scopes = np.array(batch.scopes, np.uint64)
        found = found._replace(hashes=found.hashes ^ scopes[found.texts])
    return found if spec.repeats else found.only(_first_in_text(found))


def _first_in_text(found: Windows) -> Indices:
    """The places at which an n-gram is for the first time in its text."""
    order = np.lexsort((found.starts, found.hashes, found.texts))
    hashes, texts = found.hashes[order], found.texts[order]
    again = (hashes[1:] == hashes[:-1]) & (texts[1:] == texts[:-1])
    return np.sort(order[np.concatenate([[True], ~again])[: len(order)]])


def _batches(candidates: Iterator[Candidate], spec: NgramFilter) -> Iterator[Batch]:
    waiting: list[Candidate] = []
    size = 0
    for candidate in candidates:
        waiting.append(candidate)
        size += len(candidate.response.text)
        if size >= BATCH:
            yield _batch(waiting, spec)
            waiting, size = [], 0
    if waiting:
        yield _batch(waiting, spec)


def _batch(candidates: Sequence[Candidate], spec: NgramFilter) -> Batch:
    scopes = [_scope(_SCOPES[spec.scope](candidate)) for candidate in candidates]
    return Batch(list(map(_key, candidates)), [one.response.text for one in candidates], scopes)


_SCOPES: dict[str, Callable[[Candidate], str]] = {
    "dataset": lambda _: "",
    "teacher": lambda candidate: candidate.response.teacher,
    "category": lambda candidate: candidate.query.category,
}


@functools.cache
def _scope(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def _processes() -> int:
    """`$SOURCEWISE_WORKERS`, else the cores that this process may use."""
    return int(os.environ.get("SOURCEWISE_WORKERS") or len(os.sched_getaffinity(0)))


def _text(response: str) -> str:
    return functools.reduce(lambda text, tag: text.replace(tag, " "), TAGS, response)


def _key(candidate: Candidate) -> Key:
    response = candidate.response
    return response.teacher, response.query_id, response.attempt
