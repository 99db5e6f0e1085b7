"""Runs of n tokens that two collections of texts share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sourcewise.corpus.tokens import Hashes, Indices

_STEP = 0xD6E8FEB86659FD93
_TABLE_BITS = 22
# Tokens that are looked at together: their arrays stay in the processor's caches.
_BLOCK = 1 << 15


class Windows(NamedTuple):
    """The runs of n tokens of texts: the hash of each, the number of its text and its first token."""

    hashes: Hashes
    texts: Indices
    starts: Indices

    def only(self, which: npt.NDArray[np.bool_] | Indices) -> Windows:
        """Some of the runs."""
        return Windows(self.hashes[which], self.texts[which], self.starts[which])


def windows(tokens: Hashes, texts: Indices, n: int) -> Windows:
    """Every run of n tokens within a text; `texts` has the text of each token."""
    count = max(len(tokens) - n + 1, 0)
    starts = np.flatnonzero(texts[:count] == texts[len(texts) - count :])
    return Windows(_rolled(tokens, n)[starts], texts[starts], starts)


def _rolled(tokens: Hashes, n: int) -> Hashes:
    """The hash of every n tokens in a row, made of the hashes of half as many."""
    if n == 1 or len(tokens) < n:
        return tokens[: max(len(tokens) - n + 1, 0)]
    half = n // 2
    hashes = _rolled(tokens, half)
    hashes = hashes[:-half] * np.uint64(pow(_STEP, half, 1 << 64)) + hashes[half:]
    return hashes[:-1] * np.uint64(_STEP) + tokens[n - 1 :] if n % 2 else hashes


class Index:
    """Finds the runs of n tokens of a few texts among those of many."""

    def __init__(self, sought: Windows, n: int) -> None:
        order = np.argsort(sought.hashes, kind="stable")
        self._hashes, self._order, self._n = sought.hashes[order], order, n
        # Almost nothing is found, and a look into a table costs a tenth of a search.
        self._table: npt.NDArray[np.bool_] = np.zeros(1 << _TABLE_BITS, dtype=np.bool_)
        self._table[_slot(self._hashes)] = True

    def meetings(self, tokens: Hashes, texts: Indices) -> tuple[Windows, Indices]:
        """The runs within a text that are sought, once for each sought one that is the same, and its place."""
        found = [(np.empty(0, np.uint64), np.empty(0, np.int64))]
        for start in range(0, len(tokens), _BLOCK):
            hashes = _rolled(tokens[start : start + _BLOCK + self._n - 1], self._n)
            likely = np.flatnonzero(self._table[_slot(hashes)])
            found.append((hashes[likely], start + likely))
        hashes, starts = map(np.concatenate, zip(*found, strict=True))
        within = texts[starts] == texts[starts + self._n - 1]
        runs = Windows(hashes, texts[starts], starts).only(within)
        first = np.searchsorted(self._hashes, runs.hashes, side="left")
        n = np.searchsorted(self._hashes, runs.hashes, side="right") - first
        place = np.repeat(first - np.cumsum(n) + n, n) + np.arange(n.sum())
        return runs.only(np.repeat(np.arange(len(n)), n)), self._order[place]


def _slot(hashes: Hashes) -> npt.NDArray[np.int64]:
    return (hashes >> np.uint64(64 - _TABLE_BITS)).astype(np.int64)
