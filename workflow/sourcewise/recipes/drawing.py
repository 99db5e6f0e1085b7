"""Random parts of a dataset that only the queries and a seed decide.

Datasets that draw with one seed therefore take, as far as they can, the same queries.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

Ranks = npt.NDArray[np.uint64]


def rank(query_id: str, *seeds: int) -> int:
    """The place of a query in a random order, as a number below 2^64."""
    digest = hashlib.sha256("/".join([*map(str, seeds), query_id]).encode()).digest()
    return int.from_bytes(digest[:8], "big")


def below(ranks: Ranks, n: int) -> int:
    """The least rank that is not drawn, for at most n of these; of equal ranks all or none is drawn."""
    if n >= len(ranks):
        return 1 << 64
    return int(np.partition(ranks, n)[n])
