"""Which queries a search finds: a page of them at a time, shard after shard, so that the first come at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sourcewise.view.asking import Tables
from sourcewise.view.catalogue import Catalogue
from sourcewise.view.conditions import conditions
from sourcewise.view.searches import Search

PAGE = 50
# Looked at together, so that all cores have work; a page that is full asks no further.
SHARDS_AT_ONCE = 16
SNIPPET = 240
_SHARDED = "SELECT *, parse_filename(filename, true) AS shard FROM read_parquet(?, filename = true)"
TEXT = "list_aggregate([turn.content FOR turn IN messages], 'string_agg', '\n')"


class Mark(NamedTuple):
    """What a teacher made of a query: `accepted` is the first attempt that was, `status` that of the last."""

    teacher: str
    n_attempts: int
    accepted: int | None
    status: str | None
    score: float | None


@dataclass(frozen=True)
class Found:
    """A query on a page of results."""

    shard: str
    query_id: str
    category: str
    source: str
    text: str
    marks: tuple[Mark, ...] = ()

    @property
    def place(self) -> str:
        """Where the search goes on behind this query."""
        return f"{self.shard}:{self.query_id}"


def search(tables: Tables, held: Catalogue, wanted: Search, *, most: int = PAGE) -> list[Found]:
    """The first `most` queries behind `wanted.after`, in the order of shards and of query_id in each."""
    shards = [name for name in held.shards if name >= wanted.after.partition(":")[0]]
    found: list[Found] = []
    for group in _groups(shards):
        found += _matching(tables, held, wanted, group, most=most - len(found))
        if len(found) == most:
            break
    return found


def _groups(shards: Sequence[str]) -> Iterator[list[str]]:
    # The first alone: where it fills the page nothing else is read.
    yield list(shards[:1])
    rest = iter(shards[1:])
    while group := list(itertools.islice(rest, SHARDS_AT_ONCE)):
        yield group


def sample(tables: Tables, held: Catalogue, wanted: Search, *, n: int, seed: int) -> list[Found]:
    """`n` random ones of the queries that a search finds, in its order; the seed decides which."""
    order = f"md5('{seed}/' || query_id)"
    chosen = _matching(tables, held, wanted, held.shards, order=order, most=n)
    return sorted(chosen, key=lambda one: (one.shard, one.query_id))


def _matching(
    tables: Tables,
    held: Catalogue,
    wanted: Search,
    shards: Sequence[str],
    *,
    most: int,
    order: str = "shard, query_id",
) -> list[Found]:
    files = held.corpus(shards)
    if not files:
        return []
    shard, _, query_id = wanted.after.partition(":")
    met, arguments = ["(shard, query_id) > (?, ?)"], [shard, query_id]
    for condition, values in conditions(held, wanted, shards):
        met.append(condition)
        arguments += values
    places = tables.ask(
        f"""
        SELECT shard, query_id FROM ({_SHARDED}) WHERE {" AND ".join(met)}
        ORDER BY {order} LIMIT ?
        """,
        [files, *arguments, most],
    )
    return _read(tables, held, places)


def _read(tables: Tables, held: Catalogue, places: Sequence[tuple[Any, ...]]) -> list[Found]:
    """The queries at places, in their order: texts are read of these only."""
    if not places:
        return []
    files = held.corpus(sorted({shard for shard, _ in places}))
    rows = tables.ask(
        f"""
        SELECT shard, query_id, category, source, {TEXT}[:{SNIPPET + 1}] FROM ({_SHARDED})
        WHERE query_id IN ?
        """,
        [files, [query_id for _, query_id in places]],
    )
    found = {(row[0], row[1]): Found(*row) for row in rows}
    return [found[place] for place in places if place in found]
