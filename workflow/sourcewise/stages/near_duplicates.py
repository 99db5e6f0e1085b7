"""Stage near_duplicates: queries that are almost the words of one before them, over all shards.

Reads the clean Query tables in the order of the shards; writes a Reject table for each. `decontaminate` takes
those queries out. Only the rejects of a shard are its output, so a source that is appended changes no
other's: of two queries that are alike the earlier stays.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sourcewise import tables
from sourcewise.corpus.near import Sketches
from sourcewise.params.queries import NearDuplicates
from sourcewise.progress import Progress
from sourcewise.tables import Query, Reject


def run(*, queries: tuple[Path, ...], near: NearDuplicates, rejects: tuple[Path, ...]) -> None:
    """Writes the near-duplicates of each shard; in memory are a sketch and the identity of every query."""
    tables.spare_pandas()
    sketches = Sketches(near)
    ids, sources, ends = [], [], [0]
    progress = Progress("near_duplicates", len(queries), "shards")
    for path in queries:
        shard = tables.load(path, Query)
        sketches.add(tables.user_texts(shard["messages"]).to_pylist())
        ids.append(np.array(shard["query_id"].to_pylist(), dtype="S32"))
        sources.append(np.array(shard["source"].to_pylist(), dtype=np.str_))
        ends.append(ends[-1] + len(shard))
        progress.advance()
    progress.finish()
    identity, source = np.concatenate(ids), np.concatenate(sources)
    alike = sketches.alike()
    found = np.array(sorted(alike), dtype=np.int64)
    for number, path in enumerate(rejects):
        first, end = np.searchsorted(found, ends[number : number + 2])
        own = found[first:end].tolist()
        tables.write(
            path, Reject, (_reject(place, *alike[place], identity, source) for place in own)
        )
    print(f"near_duplicates: {len(found):,} of {ends[-1]:,} queries are alike to one before them")


def _reject(
    place: int, other: int, similarity: float, identity: np.ndarray, source: np.ndarray
) -> Reject:
    value = f"{source[other]}/{identity[other].decode()} {similarity:.2f}"
    return Reject(
        identity[place].decode(), str(source[place]), "near_duplicates", "near_duplicate", value
    )
