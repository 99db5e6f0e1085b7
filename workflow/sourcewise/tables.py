"""The tables that stages exchange: one frozen dataclass each, its Arrow schema read off it.

Files are Parquet (zstd), written in row groups and read as a stream, so that memory does not grow with
the table. A table appears under its name only when it is complete.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import shutil
import sys
import types
import typing
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP = 2048
# Rows that are sorted in memory, and ranges of identities that larger tables are sorted by.
PART, RANGES = 32_768, 256
Row = TypeVar("Row")


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """One turn: role is `system`, `user` or `assistant`."""

    role: str
    content: str


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """A question. `reference` is JSON that only the verifier of `category` reads; "" where there is none."""

    query_id: str
    source: str
    category: str
    messages: list[Message]
    reference: str
    licence: str


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """The identity of a query that is in the corpus: sources after its own may not bring it again."""

    query_id: str
    source: str


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """All the text a model returned to one attempt at a query, reasoning included; attempts count from 1."""

    query_id: str
    attempt: int
    teacher: str
    text: str
    finish_reason: str
    n_tokens: int
    n_prompt_tokens: int
    seed: int
    engine: str
    revision: str


STATUSES = (
    "scored",
    "no_answer",
    "truncated",
    "prompt_too_long",
    "no_response",
    "bad_reference",
    "timeout",
    "crash",
    "memory",
    "judge_error",
    "unavailable",
    "infrastructure",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What a verifier says of an attempt: `score` in [0, 1] when status is `scored`, else null.

    `facts` is JSON with what else the verifier found, such as strict and loose; "" where it is nothing.
    """

    query_id: str
    attempt: int
    status: str
    score: float | None
    detail: str
    verifier: str
    verifier_version: str
    facts: str = ""

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"{self.query_id}: {self.status!r} is not one of {STATUSES}")
        if (self.status == "scored") != (self.score is not None):
            raise ValueError(f"{self.query_id}: status {self.status!r} with score {self.score!r}")


@dataclasses.dataclass(frozen=True, slots=True)
class Perplexity:
    """exp of the mean negative log likelihood of the response's `n_tokens` tokens given the query."""

    query_id: str
    attempt: int
    scorer: str
    perplexity: float
    n_tokens: int


@dataclasses.dataclass(frozen=True, slots=True)
class Selected:
    """The attempt that a dataset's recipe takes for a query."""

    query_id: str
    teacher: str
    attempt: int
    score: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
    """A row to train on: `messages` end with the assistant's turn, `n_tokens` counts that turn."""

    query_id: str
    category: str
    teacher: str
    messages: list[Message]
    n_tokens: int
    attempt: int
    score: float | None
    perplexity: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Reject:
    """A row that went no further: by which stage or filter, why, and the value that decided.

    `query_id` is "" for a row that could not be read; `value` then names its file and line.
    """

    query_id: str
    source: str
    by: str
    reason: str
    value: str


@dataclasses.dataclass(frozen=True, slots=True)
class Erratum:
    """A benchmark's question that is known to be wrong: how the list of errata names it, and why."""

    query_id: str
    question: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Contamination:
    """Evidence of a removed query: the benchmark item it matches, by which layer and how closely."""

    query_id: str
    source: str
    benchmark: str
    item_id: str
    layer: str
    score: float
    query_text: str
    item_text: str


@functools.cache
def schema(row: Any) -> pa.Schema:
    """The Arrow schema of a row type."""
    hints = typing.get_type_hints(row)
    return pa.schema([_field(f.name, hints[f.name]) for f in dataclasses.fields(row)])


def _field(name: str, hint: object) -> pa.Field:
    nullable = isinstance(hint, types.UnionType)
    if nullable:
        hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
    return pa.field(name, _arrow(hint), nullable=nullable)


def _arrow(hint: object) -> pa.DataType:
    if typing.get_origin(hint) is list:
        return pa.list_(pa.field("item", _arrow(typing.get_args(hint)[0]), nullable=False))
    if dataclasses.is_dataclass(hint):
        return pa.struct(list(schema(hint)))  # type: ignore[arg-type]
    return {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}[hint]  # type: ignore[index]


_MESSAGES = _arrow(list[Message])


def _columns(rows: list[Any], wanted: pa.Schema) -> pa.Table:
    """Rows as Arrow takes them, by column."""
    columns = ([getattr(row, field.name) for row in rows] for field in wanted)
    arrays = [
        _array(column) if field.type == _MESSAGES else pa.array(column, field.type)
        for column, field in zip(columns, wanted, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=wanted)


def _array(messages: list[list[Message]]) -> pa.ListArray:
    turns = [turn for one in messages for turn in one]
    parts = ([turn.role for turn in turns], [turn.content for turn in turns])
    ends = itertools.accumulate((len(one) for one in messages), initial=0)
    return pa.ListArray.from_arrays(
        pa.array(ends, pa.int32()),
        pa.StructArray.from_arrays(
            [pa.array(part, pa.string()) for part in parts], fields=list(_MESSAGES.value_type)
        ),
        type=_MESSAGES,
    )


def spare_pandas() -> None:
    """Lets pyarrow conclude that there is no pandas; for stages that hand it no object of pandas.

    It would load pandas to ask whether a list is one of its arrays: half of the start of a short job.
    Whoever imports pandas himself still gets it.
    """
    if "pandas" not in sys.modules:
        sys.meta_path.insert(0, _Hidden())
        try:
            pa.array([""])
        finally:
            del sys.meta_path[0]


class _Hidden:
    """Finds no pandas."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def read(path: Path, row: type[Row], *, ids: tuple[str, str] | None = None) -> Iterator[Row]:
    """Yields the rows of a table, one row group in memory at a time.

    `ids` keeps those whose `query_id` lies in a half-open range.
    Raises ValueError where the file is not Parquet or holds another table's columns.
    """
    for batch in batches(path, row, ids=ids):
        yield from rows(batch, row)


def batches(
    path: Path,
    row: type,
    *,
    ids: tuple[str, str] | None = None,
    columns: Sequence[str] | None = None,
) -> Iterator[pa.Table]:
    """Yields what `read` does by column, a row group at a time; `columns` are all unless they are named."""
    with _open(path, row) as file:
        groups = _groups(file, ids)
        for batch in file.iter_batches(ROW_GROUP, row_groups=groups, columns=columns):
            if ids is not None:
                batch = batch.filter(_within(batch, ids))
            yield pa.Table.from_batches([batch])


def load(
    path: Path,
    row: type,
    *,
    ids: tuple[str, str] | None = None,
    columns: Sequence[str] | None = None,
) -> pa.Table:
    """What `read` yields as one table, by column; `columns` are all unless they are named."""
    with _open(path, row) as file:
        table = file.read_row_groups(_groups(file, ids), columns=columns)
        return table if ids is None else table.filter(_within(table, ids))


def rows(table: pa.Table, row: type[Row]) -> list[Row]:
    """The rows of a table that was read by column."""
    columns = [_values(table.column(field.name)) for field in schema(cast(Any, row))]
    return [row(*values) for values in zip(*columns, strict=True)]


def _values(column: pa.ChunkedArray) -> list[Any]:
    if column.type != _MESSAGES:
        return cast(list[Any], column.to_pylist())
    array = column.combine_chunks()
    parts = array.flatten()
    turns = list(map(Message, *(parts.field(name).to_pylist() for name in ("role", "content"))))
    ends = array.offsets.to_pylist()
    return [turns[one - ends[0] : other - ends[0]] for one, other in itertools.pairwise(ends)]


def store(path: Path, row: type, parts: Iterable[pa.Table]) -> None:
    """Writes a table by its parts, in their order; the file appears by rename when it is complete."""
    with TableWriter[Any](path, row) as table:
        for part in parts:
            table.extend(part)


def user_texts(messages: pa.ChunkedArray) -> pa.StringArray:
    """The user's turns of each query of a column of messages as one text (`text.query_text`)."""
    import pyarrow.compute as pc

    column = messages.combine_chunks()
    turns = column.flatten()
    asked = pc.equal(turns.field("role"), "user")
    before = pa.concat_arrays(
        [pa.array([0], pa.int32()), pc.cumulative_sum(asked.cast(pa.int32()))]
    )
    ends = before.take(pc.subtract(column.offsets, column.offsets[0]))
    own = pa.ListArray.from_arrays(ends, turns.field("content").filter(asked))
    return pc.binary_join(own, "\n")


def count(path: Path, row: type, *, ids: tuple[str, str] | None = None) -> int:
    """The number of rows of a table, from its footer; of those that `read` yields for `ids`, from a column."""
    if ids is not None:
        return sum(len(batch) for batch in batches(path, row, ids=ids, columns=["query_id"]))
    with _open(path, row) as file:
        return file.metadata.num_rows


def _groups(file: pq.ParquetFile, ids: tuple[str, str] | None) -> list[int]:
    """The row groups that may hold a `query_id` of a range: few where the table is sorted."""
    every = range(file.metadata.num_row_groups)
    if ids is None:
        return list(every)
    place = file.schema_arrow.names.index("query_id")
    found = []
    for group in every:
        known = file.metadata.row_group(group).column(place).statistics
        if known is None or not known.has_min_max or (known.min < ids[1] and known.max >= ids[0]):
            found.append(group)
    return found


def _within(
    batch: pa.RecordBatch | pa.Table, ids: tuple[str, str]
) -> pa.BooleanArray | pa.ChunkedArray:
    import pyarrow.compute as pc  # a tenth of the start of jobs that need none of it

    own = batch.column("query_id")
    return pc.and_(pc.greater_equal(own, ids[0]), pc.less(own, ids[1]))


def _open(path: Path, row: type) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise ValueError(
            f"{path} is damaged or not Parquet ({error}): delete it and run again"
        ) from None
    if not file.schema_arrow.equals(schema(row)):
        raise ValueError(f"{path} does not hold {row.__name__} rows: {file.schema_arrow.names}")
    return file


def write(path: Path, row: type[Row], rows: Iterable[Row]) -> int:
    """Writes rows as a table and returns how many; the file appears by rename when it is complete."""
    n = 0
    with TableWriter(path, row) as table:
        for one in rows:
            table.add(one)
            n += 1
    return n


class TableWriter(Generic[Row]):
    """Collects rows, or parts of a table, into a Parquet file; nothing is left behind if the block raises.

    The bytes depend on the rows, not on the parts they came in. A row group is compressed beside the making of
    the next: both take about as long.
    """

    def __init__(self, path: Path, row: type[Row]) -> None:
        self._path = path
        self._rows: list[Row] = []
        self._parts: list[pa.Table] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._partial = path.with_name(f".{path.name}.partial")
        self._schema = schema(cast(Any, row))
        self._writer = pq.ParquetWriter(self._partial, self._schema, compression="zstd")
        self._beside = ThreadPoolExecutor(1)
        self._written: Future[None] | None = None

    def add(self, row: Row) -> None:
        """Appends one row; full row groups go to disk at once."""
        self._rows.append(row)
        if len(self._rows) == ROW_GROUP:
            self._convert()

    def extend(self, part: pa.Table) -> None:
        """Appends a part by column; full row groups go to disk at once."""
        self._convert()
        self._append(part)

    def _convert(self) -> None:
        if self._rows:
            rows, self._rows = self._rows, []
            self._append(_columns(rows, self._schema))

    def _append(self, part: pa.Table) -> None:
        self._parts.append(part)
        if sum(map(len, self._parts)) >= ROW_GROUP:
            table = pa.concat_tables(self._parts)
            whole = len(table) - len(table) % ROW_GROUP
            self._parts = [table.slice(whole)]
            for start in range(0, whole, ROW_GROUP):
                self._write(table.slice(start, ROW_GROUP))

    def _write(self, group: pa.Table) -> None:
        self._settle()
        self._written = self._beside.submit(self._writer.write_table, group.combine_chunks())

    def _settle(self) -> None:
        """Waits for the row group that is being written; raises what went wrong with it."""
        if self._written is not None:
            self._written.result()

    def __enter__(self) -> TableWriter[Row]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._convert()
                if any(map(len, self._parts)):
                    self._write(pa.concat_tables(self._parts))
            self._beside.shutdown()
            if kind is None:
                self._settle()
            self._writer.close()
            if kind is None:
                self._partial.replace(self._path)
        finally:
            self._partial.unlink(missing_ok=True)


class SortedWriter(Generic[Row]):
    """As TableWriter, but rows are sorted by `query_id`, those of one in the order in which they came.

    What does not fit into memory is sorted by parts: each part lies on the disk as a record batch for each
    of 256 ranges of identities, and the table takes the batches of one range after the other.
    """

    def __init__(self, path: Path, row: type[Row]) -> None:
        self._path, self._row = path, row
        self._schema = schema(cast(Any, row))
        self._rows: list[Row] = []
        self._parts = path.with_name(f".{path.name}.parts")
        shutil.rmtree(self._parts, ignore_errors=True)
        self._n_parts = 0

    def add(self, row: Row) -> None:
        """Takes one row; full parts go to disk at once."""
        self._rows.append(row)
        if len(self._rows) == PART:
            self._spill()

    def _spill(self) -> None:
        part = _by_id(_columns(self._rows, self._schema))
        self._rows = []
        ids = part.column("query_id").to_pylist()
        edges = [bisect_left(ids, f"{number:02x}") for number in range(1, RANGES)]
        self._parts.mkdir(parents=True, exist_ok=True)
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        path = self._parts / f"{self._n_parts:06}.arrow"
        with pa.ipc.new_file(path, self._schema, options=options) as file:
            for start, end in itertools.pairwise([0, *edges, len(ids)]):
                [batch] = part.slice(start, end - start).combine_chunks().to_batches() or [None]
                file.write_batch(batch or pa.RecordBatch.from_pylist([], self._schema))
        self._n_parts += 1

    def __enter__(self) -> SortedWriter[Row]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                store(self._path, self._row, self._ranges())
        finally:
            shutil.rmtree(self._parts, ignore_errors=True)

    def _ranges(self) -> Iterator[pa.Table]:
        if not self._n_parts:
            yield _by_id(_columns(self._rows, self._schema))
            return
        self._spill()
        with contextlib.ExitStack() as stack:
            maps = [
                stack.enter_context(pa.memory_map(str(path)))
                for path in sorted(self._parts.iterdir())
            ]
            parts = [pa.ipc.open_file(part) for part in maps]
            for number in range(RANGES):
                yield _by_id(pa.Table.from_batches([part.get_batch(number) for part in parts]))


def _by_id(table: pa.Table) -> pa.Table:
    return table.sort_by("query_id")
