"""How close texts are by their words: cosines of TF-IDF, to spare most texts an embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sourcewise.corpus.tokens import Hashes, Indices, Tokens, numbers

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Texts whose cosines are in memory at once.
BLOCK = 2048


class Lexical:
    """TF-IDF vectors of a few texts, numbers aside."""

    def __init__(self, sought: Tokens) -> None:
        words = sought.masked[~numbers(sought.masked)]
        # The last entry is no word; it ends every search.
        self._vocabulary: Hashes = np.append(np.unique(words), np.uint64(2**64 - 1))
        counts, unknown = self._counts(sought, 0, len(sought.ends) - 1)
        with_word = np.bincount(counts.indices, minlength=len(self._vocabulary))
        rarity = (len(sought.ends) - 1) / np.maximum(with_word, 1)
        self._weights = np.log1p(rarity).astype(np.float32)
        self._vectors = self._vector(counts, unknown)

    def closest(self, given: Tokens) -> npt.NDArray[np.float32]:
        """The cosine of each text with the closest one, 0 to 1.

        A word that none of the sought texts has weighs like the rarest of theirs, each time it stands there.
        """
        n = len(given.ends) - 1
        best = np.zeros(n, dtype=np.float32)
        for start in range(0, n, BLOCK):
            end = min(start + BLOCK, n)
            cosines = self._vector(*self._counts(given, start, end)) @ self._vectors.T
            best[start:end] = cosines.max(axis=1).toarray().ravel()
        return best

    def _counts(self, given: Tokens, start: int, end: int) -> tuple[csr_matrix, Indices]:
        """How often each word stands in texts, and how many of their words are none of the sought texts'."""
        from scipy.sparse import csr_matrix

        part = slice(given.ends[start], given.ends[end])
        hashes, texts = given.masked[part], given.texts[part] - start
        place = np.searchsorted(self._vocabulary, hashes)
        known = self._vocabulary[place] == hashes
        unknown = np.bincount(texts[~known & ~numbers(hashes)], minlength=end - start)
        entries = np.ones(known.sum(), np.float32), (texts[known], place[known])
        return csr_matrix(entries, shape=(end - start, len(self._vocabulary))), unknown

    def _vector(self, counts: csr_matrix, unknown: Indices) -> csr_matrix:
        """Counts to unit vectors of (1 + log count) · weight."""
        counts.data = (1 + np.log(counts.data)) * self._weights[counts.indices]
        squares = np.asarray(counts.multiply(counts).sum(axis=1)).ravel()
        lengths = np.sqrt(squares + unknown * self._weights[-1] ** 2)
        counts.data /= np.repeat(np.where(lengths == 0, 1, lengths), np.diff(counts.indptr))
        return counts
