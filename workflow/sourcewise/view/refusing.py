"""Queries that never got into the corpus: which stage turned them away, why, and what they said."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sourcewise.view.asking import Tables
from sourcewise.view.catalogue import Catalogue
from sourcewise.view.conditions import terms
from sourcewise.view.searches import MOST_CHARACTERS
from sourcewise.view.searching import PAGE, SNIPPET, TEXT


@dataclass(frozen=True)
class Refusals:
    """Which rejects are looked for, as the URL says it; "" is no condition, `first` counts from 0."""

    text: str = ""
    source: str = ""
    by: str = ""
    reason: str = ""
    first: int = 0

    def conditions(self) -> dict[str, str]:
        """What the URL must say to ask the same from the beginning."""
        pairs = dataclasses.asdict(self).items()
        return {name: str(value) for name, value in pairs if value and name != "first"}


@dataclass(frozen=True)
class Refused:
    """A reject with the beginning of its query; `text` is None for a row that could not be read."""

    query_id: str
    source: str
    by: str
    reason: str
    value: str
    text: str | None


@dataclass(frozen=True)
class Count:
    """How many rejects there are of one kind."""

    by: str
    reason: str
    n: int


def parsed(given: Mapping[str, str]) -> Refusals:
    """The rejects that a URL asks for; raises ValueError for what cannot be asked."""
    fields = [field.name for field in dataclasses.fields(Refusals)]
    for name in given:
        if name not in fields:
            raise ValueError(f"{name!r} is nothing to search by: choose from {', '.join(fields)}")
    first = given.get("first", "0")
    if not first.isdecimal() or len(first) > 9:
        raise ValueError(f"first={first!r} is no number: go back to the first page")
    texts = {name: value.strip() for name, value in given.items() if name != "first"}
    if any(len(value) > MOST_CHARACTERS for value in texts.values()):
        raise ValueError(f"a search takes at most {MOST_CHARACTERS:,} characters of text")
    return Refusals(**texts, first=int(first))


def refused(tables: Tables, held: Catalogue, wanted: Refusals) -> list[Refused]:
    """One page of rejects, in the order of the stages' tables."""
    files = held.rejects()
    if not files:
        return []
    conditions: list[str] = ["true"]
    arguments: list[Any] = []
    for name in ("source", "by", "reason"):
        if value := getattr(wanted, name):
            conditions.append(f'"{name}" = ?')
            arguments.append(value)
    rejects = f"""
        SELECT query_id, source, "by", reason, value, row_number() OVER () AS place
        FROM read_parquet(?) WHERE {" AND ".join(conditions)}
    """
    if wanted.text:
        return _mentioning(tables, held, wanted, rejects, [files, *arguments])
    page = [files, *arguments, PAGE, wanted.first]
    rows = tables.ask(
        f"SELECT * EXCLUDE place FROM ({rejects}) ORDER BY place LIMIT ? OFFSET ?", page
    )
    said = _texts(tables, held, [row[0] for row in rows])
    return [Refused(*(*row, said.get(row[0]))) for row in rows]


def _texts(tables: Tables, held: Catalogue, ids: list[str]) -> dict[str, str]:
    files = held.collected()
    if not files or not ids:
        return {}
    return dict(
        tables.ask(
            f"SELECT query_id, any_value({TEXT}[:{SNIPPET + 1}]) FROM read_parquet(?) "
            "WHERE query_id IN ? GROUP BY query_id",
            [files, ids],
        )
    )


def _mentioning(
    tables: Tables, held: Catalogue, wanted: Refusals, rejects: str, arguments: list[Any]
) -> list[Refused]:
    files = held.collected(wanted.source or None)
    if not files:
        return []
    said = terms(wanted.text)
    rows = tables.ask(
        f"""
        SELECT r.query_id, r.source, r."by", r.reason, r.value, q.said
        FROM ({rejects}) r JOIN (
            SELECT query_id, any_value({TEXT}[:{SNIPPET + 1}]) AS said FROM read_parquet(?)
            WHERE {" AND ".join(condition for condition, _ in said)} GROUP BY query_id
        ) q USING (query_id)
        ORDER BY place LIMIT ? OFFSET ?
        """,
        [*arguments, files, *(value for _, values in said for value in values), PAGE, wanted.first],
    )
    return [Refused(*row) for row in rows]


def counts(tables: Tables, held: Catalogue) -> list[Count]:
    """How many rejects of each kind there are, the most first."""
    files = held.rejects()
    if not files:
        return []
    rows = tables.ask(
        'SELECT "by", reason, count(*) FROM read_parquet(?) GROUP BY ALL ORDER BY 3 DESC, 1, 2',
        [files],
    )
    return [Count(*row) for row in rows]
