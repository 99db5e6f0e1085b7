"""Runs of n tokens that two collections of texts share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sourcewise.corpus.tokens import Hashes, Indices

_STEP = np.uint64(0xD6E8FEB86659FD93)
_TABLE_BITS = 22


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
    hashes, length = tokens, 1
    # Runs of twice the length are two runs: a few steps instead of n.
    for bit in f"{n:b}"[1:]:
        hashes, length = hashes[:-length] * _STEP**length + hashes[length:], 2 * length
        if bit == "1":
            hashes, length = hashes[:-1] * _STEP + tokens[length:], length + 1
    starts = np.flatnonzero(texts[: len(hashes)] == texts[n - 1 :])
    return Windows(hashes[starts], texts[starts], starts)


class Index:
    """Finds the windows of a few texts among those of many."""

    def __init__(self, sought: Windows) -> None:
        order = np.argsort(sought.hashes, kind="stable")
        self._hashes, self._order = sought.hashes[order], order
        # Almost nothing is found, and a look into a table costs a tenth of a search.
        self._table: npt.NDArray[np.bool_] = np.zeros(1 << _TABLE_BITS, dtype=np.bool_)
        self._table[_slot(self._hashes)] = True

    def meetings(self, given: Windows) -> tuple[Indices, Indices]:
        """The places of each given run and each sought one that are the same."""
        likely = np.flatnonzero(self._table[_slot(given.hashes)])
        hashes = given.hashes[likely]
        first = np.searchsorted(self._hashes, hashes, side="left")
        n = np.searchsorted(self._hashes, hashes, side="right") - first
        place = np.repeat(first - np.cumsum(n) + n, n) + np.arange(n.sum())
        return np.repeat(likely, n), self._order[place]


def _slot(hashes: Hashes) -> npt.NDArray[np.int64]:
    return (hashes >> np.uint64(64 - _TABLE_BITS)).astype(np.int64)
