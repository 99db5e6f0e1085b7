"""Which queries a search finds: a page of them at a time, shard after shard, so that the first come at once."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sourcewise.tables import STATUSES
from sourcewise.view.asking import Tables
from sourcewise.view.catalogue import Catalogue, Teacher

PAGE = 50
# Looked at together, so that all cores have work; a page that is full asks no further.
SHARDS_AT_ONCE = 16
SNIPPET = 240
MOST_CHARACTERS = 1000
# What the teachers asked made of a query: the choice, and how it reads.
ACCEPTED = {
    "every": "by every teacher asked",
    "some": "by at least one",
    "split": "by some, not by others",
    "none": "by none",
}
# The teachers asked at a query and those accepted, a bit each: three times as fast as a row for each pair.
_HAVING = {
    "every": "bit_or(accepted) = bit_or(asked)",
    "some": "bit_or(accepted) > 0",
    "split": "bit_or(accepted) > 0 AND bit_or(accepted) < bit_or(asked)",
    "none": "bit_or(accepted) = 0",
}
_SHARDED = "SELECT *, parse_filename(filename, true) AS shard FROM read_parquet(?, filename = true)"
TEXT = "list_aggregate([turn.content FOR turn IN messages], 'string_agg', '\n')"


@dataclass(frozen=True)
class Search:
    """What is looked for, as the URL says it; "" is no condition.

    `text` holds words, "phrases" or the first 8 digits and more of a query_id; all must be there. `dataset` is
    a dataset whose examples hold the query, or, after `-`, do not. `after` is SHARD:QUERY_ID of the last
    query seen.
    """

    text: str = ""
    category: str = ""
    source: str = ""
    teacher: str = ""
    status: str = ""
    accepted: str = ""
    dataset: str = ""
    after: str = ""

    def conditions(self) -> dict[str, str]:
        """What the URL must say to ask the same from the beginning."""
        pairs = dataclasses.asdict(self).items()
        return {name: value for name, value in pairs if value and name != "after"}


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


def parsed(given: Mapping[str, str], held: Catalogue) -> Search:
    """The search that a URL asks for; raises ValueError for what the copy does not know."""
    fields = [field.name for field in dataclasses.fields(Search)]
    for name in given:
        if name not in fields:
            raise ValueError(f"{name!r} is nothing to search by: choose from {', '.join(fields)}")
    search = Search(**{name: value.strip() for name, value in given.items()})
    datasets = [one.name for one in held.datasets]
    choices: dict[str, Sequence[str]] = {
        "teacher": [one.name for one in held.teachers],
        "status": STATUSES,
        "accepted": list(ACCEPTED),
        "dataset": [*datasets, *(f"-{name}" for name in datasets)],
    }
    for name, known in choices.items():
        value = getattr(search, name)
        if value and value not in known:
            there = ", ".join(known) or "none yet"
            raise ValueError(f"there is no {name} {value!r} here: {there}")
    if len(search.text) > MOST_CHARACTERS:
        raise ValueError(f"a search takes at most {MOST_CHARACTERS:,} characters of text")
    if search.after and not re.fullmatch(r"[\w-]+:[0-9a-f]{32}", search.after):
        raise ValueError(f"after={search.after!r} is no place: go back to the first page")
    return search


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
    conditions, arguments = ["(shard, query_id) > (?, ?)"], [shard, query_id]
    for condition, values in _conditions(held, wanted, shards):
        conditions.append(condition)
        arguments += values
    places = tables.ask(
        f"""
        SELECT shard, query_id FROM ({_SHARDED}) WHERE {" AND ".join(conditions)}
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


Condition = tuple[str, list[Any]]


def _conditions(held: Catalogue, wanted: Search, shards: Sequence[str]) -> Iterator[Condition]:
    for name in ("category", "source"):
        if value := getattr(wanted, name):
            yield f"{name} = ?", [value]
    yield from terms(wanted.text)
    asked = [one for one in held.teachers if wanted.teacher in ("", one.name)]
    if wanted.teacher and not (wanted.status or wanted.accepted):
        yield _answered(asked, shards)
    if wanted.status:
        yield _has_status(asked, shards, wanted.status)
    if wanted.accepted:
        yield _is_accepted(asked, shards, wanted.accepted, held.stop_score)
    if wanted.dataset:
        yield _in_dataset(held, wanted.dataset)


def terms(text: str) -> list[Condition]:
    """A condition for each word and "phrase" of a search."""
    found = re.findall(r'"([^"]+)"|([^\s"]+)', text)
    return [_says(phrase) if phrase else _word(word) for phrase, word in found]


def _word(word: str) -> Condition:
    """That a query says a word, or is the one whose identity begins like this."""
    if re.fullmatch(r"[0-9a-f]{8,32}", word) is None:
        return _says(word)
    # As a range, so that row groups without it are not read.
    is_it, values = "query_id >= ? AND query_id < ?", [word, f"{word}g"]
    if not word.isdecimal():
        return is_it, values
    said, more = _says(word)
    return f"({said} OR {is_it})", [*more, *values]


def _says(phrase: str) -> Condition:
    # Turn by turn: half the time of one text made of all turns.
    said = "len([1 FOR turn IN messages IF contains(lower(turn.content), lower(?))]) > 0"
    return said, [phrase]


def _answered(asked: Sequence[Teacher], shards: Sequence[str]) -> Condition:
    files = [path for one in asked for path in one.tables(shards, "responses")]
    return _among("SELECT query_id FROM read_parquet(?)", files)


def _has_status(asked: Sequence[Teacher], shards: Sequence[str], status: str) -> Condition:
    files = [path for one in asked for path in one.tables(shards, "verdicts")]
    return _among("SELECT query_id FROM read_parquet(?) WHERE status = ?", files, status)


def _is_accepted(
    asked: Sequence[Teacher], shards: Sequence[str], choice: str, stop_score: float
) -> Condition:
    parts: list[str] = []
    arguments: list[Any] = []
    for place, one in enumerate(asked):
        if files := one.tables(shards, "verdicts"):
            bit = f"{1 << place}::UBIGINT"
            parts.append(
                f"SELECT query_id, {bit} AS asked, if(score >= ?, {bit}, 0::UBIGINT) AS accepted "
                "FROM read_parquet(?)"
            )
            arguments += [stop_score, files]
    if not parts:
        return "false", []
    return (
        f"query_id IN (SELECT query_id FROM ({' UNION ALL '.join(parts)}) "
        f"GROUP BY query_id HAVING {_HAVING[choice]})",
        arguments,
    )


def _in_dataset(held: Catalogue, choice: str) -> Condition:
    name = choice.removeprefix("-")
    files = [path for one in held.datasets if one.name == name for path in one.table("examples")]
    condition, arguments = _among("SELECT query_id FROM read_parquet(?)", files)
    return (f"NOT ({condition})" if choice.startswith("-") else condition), arguments


def _among(question: str, files: list[str], *values: Any) -> Condition:
    return (f"query_id IN ({question})", [files, *values]) if files else ("false", [])


def marked(tables: Tables, held: Catalogue, page: Sequence[Found]) -> list[Found]:
    """The queries of a page with what each teacher made of them."""
    shards = sorted({one.shard for one in page})
    ids = [one.query_id for one in page]
    marks: dict[str, list[Mark]] = {identity: [] for identity in ids}
    for teacher in held.teachers:
        for query_id, *mark in _marks(tables, teacher, shards, ids, held.stop_score):
            marks[query_id].append(Mark(teacher.name, *mark))
    return [dataclasses.replace(one, marks=tuple(marks[one.query_id])) for one in page]


def _marks(
    tables: Tables, teacher: Teacher, shards: list[str], ids: list[str], stop_score: float
) -> list[tuple[Any, ...]]:
    answers, verdicts = (teacher.tables(shards, kind) for kind in ("responses", "verdicts"))
    if not answers:
        return []
    judged = "SELECT query_id, attempt, status, score FROM read_parquet(?) WHERE query_id IN ?"
    if not verdicts:
        judged = "SELECT NULL query_id, NULL attempt, NULL::VARCHAR status, NULL::DOUBLE score"
    return tables.ask(
        f"""
        SELECT query_id, count(*), min(attempt) FILTER (score >= ?),
               last(status ORDER BY attempt), last(score ORDER BY attempt)
        FROM (SELECT query_id, attempt FROM read_parquet(?) WHERE query_id IN ?)
        LEFT JOIN ({judged}) USING (query_id, attempt)
        GROUP BY query_id
        """,
        [stop_score, answers, ids, *([verdicts, ids] if verdicts else [])],
    )
