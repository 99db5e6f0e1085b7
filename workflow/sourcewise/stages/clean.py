"""Stage clean: one corpus of distinct, complete queries without web addresses and tables.

Reads the collected Query tables in the order of the sources; writes Query tables by shard and one
Reject table.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from sourcewise import tables
from sourcewise.corpus import cleaning
from sourcewise.drop import Drop
from sourcewise.params.queries import Clean
from sourcewise.progress import Progress
from sourcewise.tables import Query, Reject, TableWriter
from sourcewise.text import shard_of


def run(*, collected: tuple[Path, ...], clean: Clean, out: Path, rejects: Path) -> None:
    """Keeps the first of equal queries over all sources, drops what `cleaning` finds, and shards.

    Two queries are equal when their normalised turns are (`text.query_id`); a copy in a better layout
    of a query that was dropped may still stay. Every shard's file is written, empty ones too, so that
    the job graph does not depend on the data. In memory are only the digests of the queries kept.
    """
    total = sum(tables.count(path, Query) for path in collected)
    progress = Progress("clean", total, "queries")
    kept: dict[bytes, str] = {}
    reasons: Counter[str] = Counter()
    with ExitStack() as files:
        shards = [
            files.enter_context(TableWriter(out / f"{number:04d}.parquet", Query))
            for number in range(clean.shards)
        ]
        refused = files.enter_context(TableWriter(rejects, Reject))
        for path in collected:
            for query in tables.read(path, Query):
                progress.advance()
                dropped = _duplicate(query, kept) or cleaning.drop(query, clean)
                if dropped is None:
                    kept[bytes.fromhex(query.query_id)] = query.source
                    shards[shard_of(query.query_id, clean.shards)].add(query)
                    continue
                reasons[dropped.reason] += 1
                refused.add(
                    Reject(query.query_id, query.source, "clean", dropped.reason, dropped.value)
                )
        if sum(reasons.values()) == total:
            raise ValueError(
                f"clean keeps none of {total:,} queries ({dict(reasons)}): "
                "loosen the section clean or look at the sources"
            )
    progress.finish()
    print(f"clean: {total - sum(reasons.values()):,} of {total:,} queries stay; {dict(reasons)}")


def _duplicate(query: Query, kept: dict[bytes, str]) -> Drop | None:
    first = kept.get(bytes.fromhex(query.query_id))
    return Drop("duplicate", f"first in {first}") if first is not None else None
