"""Stage collect: the queries of one source or benchmark, from files, a hub or the generator.

Reads the origin's files, with errata and copies of a benchmark's questions, and, where the generator plants
benchmark items, benchmark tables (Query); writes Query, Reject and, for a benchmark, Erratum tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from sourcewise import tables
from sourcewise.corpus import columns, hub, turns
from sourcewise.corpus.livecodebench import MissingTestsError
from sourcewise.corpus.questions import Published
from sourcewise.corpus.reading import Row, RowError, pick, rows
from sourcewise.params.queries import Columns, Origin, Questions, Synthetic
from sourcewise.progress import Progress
from sourcewise.synthetic.defects import with_defects
from sourcewise.synthetic.problems import problems
from sourcewise.tables import Erratum, Message, Query, Reject, SortedWriter, TableWriter
from sourcewise.text import query_id

# Characters of what a Reject quotes.
SHOWN = 1000
Place = str
Refuse = Callable[[str, str, str], None]


def run(
    *,
    name: str,
    origin: Questions,
    seed: int,
    planted: tuple[Path, ...],
    out: Path,
    rejects: Path,
    errata: tuple[Path, ...] = (),
) -> None:
    """Writes every row of an origin as a Query, or as a Reject that names its file and line.

    Queries are sorted by identity, so that a shard reads little but its own rows.

    `planted` are the benchmark tables that the generator may plant items of, `errata` the one table for
    those of a benchmark's questions that are known to be wrong. Raises ValueError where no row is left,
    where a copy disagrees, and where a question of LiveCodeBench lacks its hidden tests.
    """
    if origin.hub is None:
        tables.spare_pandas()
    reasons: Counter[str] = Counter()
    first_refused: list[str] = []
    published = Published(origin)
    with SortedWriter(out, Query) as table, TableWriter(rejects, Reject) as refused:

        def reject(identity: str, reason: str, value: str) -> None:
            reasons[reason] += 1
            if not first_refused:
                first_refused.append(f"{reason}: {value}")
            # Others wrote what it quotes: it may be long, or half of a surrogate pair.
            shown = value[:SHOWN].encode("utf-8", "backslashreplace").decode()
            refused.add(Reject(identity, name, "collect", reason, shown))

        n = 0
        queries = _queries(name, origin, seed, planted, reject, published)
        for query in islice(queries, origin.limit):
            table.add(query)
            n += 1
        if n == 0:
            raise ValueError(_nothing_left(name, sum(reasons.values()), first_refused))
        if said := published.disagreements():
            raise ValueError(_differing(name, said))
    for path in errata:
        found = sorted(published.errata.values(), key=lambda erratum: erratum.query_id)
        tables.write(path, Erratum, found)
    print(f"collect {name}: {n:,} queries, {sum(reasons.values()):,} rejects {dict(reasons) or ''}")


def _nothing_left(name: str, n_rejects: int, first: list[str]) -> str:
    if not first:
        return (
            f"{name} is empty: its origin holds no row; correct 'files', 'hub' or remove the entry"
        )
    return (
        f"{name}: none of its {n_rejects:,} rows can be used; the first: {first[0]}; "
        f"correct the 'columns' (or 'dates') of {name} in params.yaml"
    )


def _differing(name: str, said: list[str]) -> str:
    listed = "\n".join(said)
    return (
        f"{name}: {len(said):,} of its questions differ from a copy:\n{listed}\nCorrect the file that is "
        "wrong, or name the question in the list of 'errata': it is then scored apart"
    )


def _queries(
    name: str,
    origin: Questions,
    seed: int,
    planted: tuple[Path, ...],
    reject: Refuse,
    published: Published,
) -> Iterator[Query]:
    if origin.synthetic is not None:
        yield from _made(name, origin, origin.synthetic, seed, planted)
        return
    mapping = _present(origin.columns)
    for place, row in _rows(origin, lambda error: reject("", "malformed_row", str(error))):
        try:
            messages = turns.messages(row, mapping)
            # Before the reference: hidden tests of years outside the window are gigabytes.
            if outside := _outside(row, origin):
                reject(query_id(messages), "outside_dates", outside)
                continue
            query = _query(name, origin, mapping, messages, row)
            published.add(place, query, row)
        except MissingTestsError as error:
            raise ValueError(f"{name}: {place}: {error}") from None
        except (ValueError, KeyError, TypeError) as error:
            reject("", "malformed_row", f"{place}: {error.args[0]}")
            continue
        yield query


def _outside(row: Row, origin: Origin) -> str:
    """The day of a row that lies outside the origin's window; "" where it does not."""
    if origin.date_column is None or origin.dates is None:
        return ""
    value = str(pick(row, origin.date_column))
    try:
        day = date.fromisoformat(value[:10]).isoformat()
    except ValueError:
        raise ValueError(
            f"column {origin.date_column!r} holds no ISO date: {value[:40]!r}"
        ) from None
    return "" if origin.dates[0] <= day < origin.dates[1] else day


def _query(name: str, origin: Origin, mapping: Columns, messages: list[Message], row: Row) -> Query:
    reference = columns.reference(row, mapping, origin.category)
    identity = query_id(messages)
    return Query(identity, name, origin.category, messages, reference, origin.licence)


def _rows(
    origin: Origin, malformed: Callable[[RowError], None]
) -> Iterator[tuple[Place, dict[str, Any]]]:
    if origin.hub is not None:
        yield from hub.rows(origin.hub, malformed=malformed)
        return
    progress = Progress("collect", len(origin.files or ()), "files")
    for file in origin.files or ():
        for place, row in rows(Path(file), malformed=malformed):
            yield f"{file}:{place}", row
        progress.advance()
    progress.finish()


def _made(
    name: str, origin: Origin, spec: Synthetic, seed: int, planted: tuple[Path, ...]
) -> Iterator[Query]:
    """Problems of the generator with the defects that the spec plants among them."""
    made = [
        Query(
            query_id(problem.messages),
            name,
            problem.category,
            problem.messages,
            problem.reference,
            origin.licence,
        )
        for problem in problems(spec, seed=seed)
    ]
    for query in made:
        if query.category != origin.category:
            raise ValueError(
                f"{name}: task {spec.task!r} makes {query.category!r} queries, but the category is "
                f"{origin.category!r}: correct one of the two"
            )
    yield from with_defects(made, spec, _items(planted), seed=seed)


def _items(planted: tuple[Path, ...]) -> dict[str, list[Query]]:
    """The items of benchmark tables by the benchmark's name, which their rows carry as source."""
    items: dict[str, list[Query]] = {}
    for path in planted:
        for query in tables.read(path, Query):
            items.setdefault(query.source, []).append(query)
    return items


def _present(mapping: Columns | None) -> Columns:
    if mapping is None:
        raise ValueError("a source of files or from a hub needs the key 'columns'")
    return mapping
