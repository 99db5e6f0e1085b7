"""Filter ngram: drops responses that hold an n-gram which the dataset repeats too often (paper §5).

The paper does not say what a token is, what is counted over or what is removed. Here a token is a word
or a sign as `text.units` cuts them; counts run over all candidates of the dataset (every occurrence,
also within one response), and the whole response goes. The think and answer tags are left out: every
response holds them, and with short answers they alone would fill an n-gram.

Memory stays bounded while the dataset grows: a first pass counts n-grams in a fixed number of shared
buckets, which can only count too many, a second pass counts exactly those whose bucket is full.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sourcewise.drop import Drop
from sourcewise.params.datasets import NgramFilter
from sourcewise.recipes.candidates import Candidate, Candidates, Check
from sourcewise.tables import Query
from sourcewise.text import ANSWER_CLOSE, ANSWER_OPEN, THINK_CLOSE, THINK_OPEN, units

Hashes = npt.NDArray[np.uint64]

TAGS = re.compile("|".join((THINK_OPEN, THINK_CLOSE, ANSWER_OPEN, ANSWER_CLOSE)))

BUCKET_BITS = 24
# An odd constant with well-mixed bits (Knuth's multiplicative hash, 64 bits).
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def prepare(spec: NgramFilter, candidates: Candidates, items: Sequence[Query]) -> Check:
    """Counts over all candidates; checks for an n-gram that occurs more than `max_count` times."""
    buckets = np.zeros(1 << BUCKET_BITS, dtype=np.uint32)
    for candidate in candidates():
        found, counts = np.unique(_buckets(_hashes(candidate, spec.n)), return_counts=True)
        buckets[found] += counts.astype(np.uint32)
    frequent = _exact_counts(candidates, spec, buckets > spec.max_count)

    def check(candidate: Candidate) -> Drop | None:
        if not frequent:
            return None
        for start, ngram in enumerate(_hashes(candidate, spec.n).tolist()):
            if ngram in frequent:
                shown = " ".join(_tokens(candidate)[start : start + spec.n])
                return Drop("frequent", f"{frequent[ngram]} x {shown[:200]}")
        return None

    return check


def _exact_counts(
    candidates: Candidates, spec: NgramFilter, full: npt.NDArray[np.bool_]
) -> dict[int, int]:
    """The counts of the n-grams that occur more than `max_count` times."""
    exact: dict[int, int] = {}
    if not full.any():
        return exact
    for candidate in candidates():
        hashes = _hashes(candidate, spec.n)
        found, counts = np.unique(hashes[full[_buckets(hashes)]], return_counts=True)
        for ngram, count in zip(found.tolist(), counts.tolist(), strict=True):
            exact[ngram] = exact.get(ngram, 0) + count
    return {ngram: count for ngram, count in exact.items() if count > spec.max_count}


def _buckets(hashes: Hashes) -> npt.NDArray[np.int64]:
    # The high bits depend on all tokens; the low bits of a product do not.
    return ((hashes * MULTIPLIER) >> np.uint64(64 - BUCKET_BITS)).astype(np.int64)


def _tokens(candidate: Candidate) -> list[str]:
    return units(TAGS.sub(" ", candidate.response.text))


def _hashes(candidate: Candidate, n: int) -> Hashes:
    """A 64-bit hash of every n-gram of a response, in order; none where it is shorter than n."""
    tokens = np.array([_token_hash(token) for token in _tokens(candidate)], np.uint64)
    if len(tokens) < n:
        return np.zeros(0, np.uint64)
    hashes = np.zeros(len(tokens) - n + 1, np.uint64)
    for offset in range(n):
        hashes = hashes * MULTIPLIER + tokens[offset : offset + len(hashes)]
    return hashes


@functools.lru_cache(maxsize=1 << 20)
def _token_hash(token: str) -> int:
    # Python's own hash of a string changes from run to run.
    return int.from_bytes(hashlib.blake2b(token.encode(), digest_size=8).digest(), "little")
