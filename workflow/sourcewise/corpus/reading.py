"""Rows of files that others wrote, each with its place in the file.

`rows(path)` yields (place, row) of JSONL, JSON and CSV, plain or gzipped, and of Parquet. The place,
counted from 1, is the line in JSONL and CSV, the element of a JSON array, the row of a Parquet file.
A row that cannot be read raises RowError, or goes to the callback `malformed` where one is given,
and reading goes on with the next row.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic_core import from_json

BATCH = 1024
# Columns that a message names; a row may have thousands.
NAMED = 20
Row = dict[str, Any]


class RowError(ValueError):
    """A row that cannot be read; the text is `file:place: what is wrong`."""


class _Bad(NamedTuple):
    """What is wrong with one row."""

    what: str


def rows(
    path: Path, *, malformed: Callable[[RowError], None] | None = None
) -> Iterator[tuple[int, Row]]:
    """Yields (place, row) of a .jsonl, .json or .csv file (plain or .gz) or a .parquet file.

    Raises ValueError where the file as a whole cannot be read, FileNotFoundError if there is none.
    """
    reader = _READERS.get(path.name.removesuffix(".gz").rpartition(".")[2].lower())
    if reader is None:
        raise ValueError(f"{path}: the name must end in {_SUFFIXES}")
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: correct the path or fetch the file")
    for place, row in reader(path):
        if isinstance(row, dict):
            yield place, row
            continue
        error = RowError(f"{path}:{place}: {row.what}")
        if malformed is None:
            raise error
        malformed(error)


def parsed(line: bytes, at: str) -> Row:
    """The object on a line of JSONL; raises RowError that names its place `at`."""
    row = _object(line)
    if isinstance(row, dict):
        return row
    raise RowError(f"{at}: {row.what}")


def pick(row: Row, column: str) -> Any:
    """The value of a column; dots reach into nested objects and lists: `a.b`, `turns.0.value`, `turns.-1`.

    Raises KeyError that names the missing part and the columns that exist.
    """
    if column in row:
        return row[column]
    value: Any = row
    for part in column.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and (place := _place(part, len(value))) is not None:
            value = value[place]
        else:
            raise KeyError(f"no column {column!r} (there are: {', '.join(_named(row)) or 'none'})")
    return value


def _named(columns: Iterable[object]) -> list[str]:
    """The first names of columns as a message can hold them: half of a surrogate pair is no text."""
    shown = [str(name)[:80].encode("utf-8", "backslashreplace").decode() for name in columns]
    return shown if len(shown) <= NAMED else [*shown[:NAMED], f"{len(shown) - NAMED:,} more"]


def _place(part: str, n: int) -> int | None:
    """An index of a list of n, also one from its end."""
    if not part.removeprefix("-").isdecimal():
        return None
    place = int(part)
    return place if -n <= place < n else None


def _lines(path: Path) -> Iterator[tuple[int, Row | _Bad]]:
    with _open(path) as file:
        for place, line in enumerate(_guarded(file, path), start=1):
            if place == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line.strip():
                yield place, _object(line)


def _object(line: bytes) -> Row | _Bad:
    try:
        # Four times as fast, and stricter: what it refuses is read again, or its fault named.
        row = from_json(line)
    except ValueError:
        row = None
    try:
        # Of bytes json would guess the encoding, line by line.
        row = json.loads(line.decode()) if row is None else row
    except UnicodeDecodeError as error:
        return _Bad(f"not UTF-8 ({error.reason} at byte {error.start})")
    except (ValueError, RecursionError) as error:
        return _Bad(f"not JSON ({error})")
    return row if isinstance(row, dict) else _Bad(f"not an object but {type(row).__name__}")


def _json(path: Path) -> Iterator[tuple[int, Row | _Bad]]:
    """A JSON array of objects, or one object a line, which hubs also publish under this name."""
    with _open(path) as file:
        start = next((line.lstrip() for line in _guarded(file, path) if line.strip()), b"")
    if not start.removeprefix(b"\xef\xbb\xbf").startswith(b"["):
        yield from _lines(path)
        return
    with _open(path) as file:
        try:
            text = b"".join(_guarded(file, path)).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path} is not UTF-8 ({error.reason} at byte {error.start})"
            ) from None
        try:
            elements = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is not JSON: {error}") from None
    for place, row in enumerate(elements, start=1):
        yield (
            place,
            row if isinstance(row, dict) else _Bad(f"not an object but {type(row).__name__}"),
        )


def _csv(path: Path) -> Iterator[tuple[int, Row | _Bad]]:
    # The csv module refuses fields above 128 KiB unless told otherwise; a character takes it 4 bytes.
    csv.field_size_limit(1 << 28)
    with _open(path) as binary:
        guarded = _guarded(binary, path)
        text = (line.decode("utf-8-sig", errors="surrogateescape") for line in guarded)
        reader = csv.DictReader(text, strict=True)
        _header(reader, path)
        while True:
            first = reader.reader.line_num + 1
            try:
                row = next(reader, None)
            except csv.Error as error:
                if reader.reader.line_num > first and str(error) == _UNCLOSED:
                    raise ValueError(
                        f"{path}:{first}: a quote is not closed, so the file from here on would be one "
                        "field: correct the row"
                    ) from None
                yield first, _Bad(f"not CSV ({error})")
                continue
            if row is None:
                return
            yield reader.line_num, _checked(row)


def _header(reader: csv.DictReader[str], path: Path) -> None:
    """Raises ValueError where the names of the columns cannot be read, or one stands for two."""
    try:
        names = reader.fieldnames or ()
        "".join(names).encode()
    except (csv.Error, UnicodeEncodeError) as error:
        raise ValueError(f"{path}: its header is not CSV in UTF-8 ({error})") from None
    _distinct(names, path)


def _distinct(names: Iterable[str], path: Path) -> None:
    for name, n in Counter(names).items():
        if n > 1:
            raise ValueError(f"{path} has {n} columns {name!r}: rename all but one")


def _checked(row: dict[Any, Any]) -> Row | _Bad:
    if None in row:
        return _Bad(f"{len(row[None])} more fields than the header has")
    short = [name for name, value in row.items() if value is None]
    if short:
        return _Bad(f"no field for column {short[0]!r}")
    for name, value in row.items():
        try:
            value.encode()
        except UnicodeEncodeError:
            return _Bad(f"column {name!r} is not UTF-8")
    return row


def _parquet(path: Path) -> Iterator[tuple[int, Row | _Bad]]:
    place = 0
    try:
        file = pq.ParquetFile(path)
        _distinct(file.schema_arrow.names, path)
        for batch in file.iter_batches(BATCH):
            for row in _plain(batch):
                place += 1
                yield place, row
        if place != file.metadata.num_rows:
            raise OSError(f"it ends after {place:,} of {file.metadata.num_rows:,} rows")
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged or not Parquet ({error}): fetch it again") from None


def _plain(batch: pa.RecordBatch) -> Iterator[Row | _Bad]:
    """The rows of a batch; Parquet lets text be no UTF-8 and dates lie beyond the year 9999."""
    try:
        yield from batch.to_pylist()
        return
    except (ValueError, OverflowError):
        pass
    for number in range(len(batch)):
        row: Row = {}
        try:
            for name in batch.schema.names:
                row[name] = batch.column(name)[number].as_py()
        except (ValueError, OverflowError) as error:
            yield _Bad(f"column {name!r} cannot be read ({error})")
            continue
        yield row


def _open(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return io.BufferedReader(gzip.open(path))
    return path.open("rb")


def _guarded(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """The lines of a file; a damaged gzip stream is an error that names the file."""
    try:
        yield from file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is damaged or not gzip ({error}): fetch it again") from None


_READERS: dict[str, Callable[[Path], Iterator[tuple[int, Row | _Bad]]]] = {
    "jsonl": _lines,
    "json": _json,
    "csv": _csv,
    "parquet": _parquet,
}
# What the csv module says of a file that ends inside quotes.
_UNCLOSED = "unexpected end of data"
_SUFFIXES = ".jsonl, .json, .csv (each also with .gz) or .parquet"
