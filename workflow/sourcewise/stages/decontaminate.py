"""Stage decontaminate: a shard of the corpus without the items of any benchmark.

Reads a clean Query table, the Reject tables of the looks at it and every benchmark's Query table; writes Query,
Reject and, with both texts of every match, Contamination tables.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from sourcewise import tables
from sourcewise.corpus.decontamination import (
    ExactLayer,
    Match,
    OverlapLayer,
    read_items,
    sought_texts,
)
from sourcewise.corpus.embedding import EmbeddingLayer
from sourcewise.corpus.tokens import tokens
from sourcewise.params.queries import Decontaminate
from sourcewise.tables import Contamination, Query, Reject
from sourcewise.text import query_text

Found = tuple[str, Match]


def run(
    *,
    queries: Path,
    dropped: tuple[Path, ...],
    benchmarks: tuple[Path, ...],
    decontaminate: Decontaminate,
    out: Path,
    rejects: Path,
    evidence: Path,
) -> None:
    """Removes the queries that copy a benchmark item; the first layer that finds one decides.

    Queries that a Reject table of `dropped` names go before, for the reason of the first that does.
    Raises ValueError where a benchmark has no items: silence would mean that the corpus is clean.
    """
    tables.spare_pandas()
    items = read_items(benchmarks)
    gone: dict[str, Reject] = {}
    for path in dropped:
        for reject in tables.read(path, Reject):
            gone.setdefault(reject.query_id, reject)
    shard = tables.load(queries, Query)
    if gone:
        shard = shard.filter([one not in gone for one in shard["query_id"].to_pylist()])
    found = copies(tables.user_texts(shard["messages"]).to_pylist(), items, decontaminate)
    places = np.array(sorted(found), dtype=np.int64)
    stays = np.ones(len(shard), dtype=np.bool_)
    stays[places] = False
    matched = [
        (query, *found[place])
        for query, place in zip(
            tables.rows(shard.take(places), Query), places.tolist(), strict=True
        )
    ]
    tables.store(out, Query, [shard.filter(stays)])
    tables.write(rejects, Reject, (*gone.values(), *(_reject(*match) for match in matched)))
    tables.write(evidence, Contamination, (_evidence(*match) for match in matched))
    layers = dict(Counter(layer for _, layer, _ in matched))
    print(f"decontaminate {queries.stem}: {len(matched):,} of {len(shard):,} queries go; {layers}")


def copies(texts: list[str], items: list[Query], decontaminate: Decontaminate) -> dict[int, Found]:
    """Layer and match of each query that goes, by its place."""
    found: dict[int, Found] = {}
    if not items or not texts:
        return found
    items, wanted = sought_texts(items)
    given, sought = tokens(texts), tokens(wanted)
    layers: list[tuple[str, dict[int, Match]]] = []
    if decontaminate.exact:
        layers.append(("exact", ExactLayer(items, sought).find(texts, given)))
    if decontaminate.ngram is not None:
        layers.append(
            ("ngram", OverlapLayer(items, sought, decontaminate.ngram, masked=False).find(given))
        )
    if decontaminate.changed_numbers is not None:
        layer = OverlapLayer(items, sought, decontaminate.changed_numbers, masked=True)
        layers.append(("changed_numbers", layer.find(given)))
    for name, matches in layers:
        for place, match in matches.items():
            found.setdefault(place, (name, match))
    if decontaminate.embedding is not None:
        left = np.array([n for n in range(len(texts)) if n not in found], dtype=np.int64)
        near = EmbeddingLayer(items, sought, decontaminate.embedding).find(texts, given, left)
        found |= {place: ("embedding", match) for place, match in near.items()}
    return found


def _reject(query: Query, layer: str, match: Match) -> Reject:
    value = f"{match.item.source}/{match.item.query_id} {match.score:.3f}"
    return Reject(query.query_id, query.source, "decontaminate", layer, value)


def _evidence(query: Query, layer: str, match: Match) -> Contamination:
    return Contamination(
        query_id=query.query_id,
        source=query.source,
        benchmark=match.item.source,
        item_id=match.item.query_id,
        layer=layer,
        score=match.score,
        query_text=query_text(query.messages),
        item_text=query_text(match.item.messages),
    )
