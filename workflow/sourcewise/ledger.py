"""The ledger: every finished attempt, appended at once, found by content and never by position.

A ledger is a directory of segments, one per writer, so that jobs of different shards never write to the
same file. A segment is a text file of records, one a line:

    crc32 of the rest (8 hex digits) · blank · key (32 hex digits) · blank · JSON of the attempt

Records are only ever appended, each batch flushed to the disk before `append` returns. A record that a
crash cut short is dropped when its segment is next opened for writing; one that is damaged in the middle
is reported and ignored. In both cases the attempt counts as never made and is asked again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import sys
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from sourcewise.lock import FileLock

SUFFIX = ".ledger"
KEY_START, KEY_END = 9, 41


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """One finished attempt as the model returned it; `created` (ISO 8601, UTC) is kept nowhere else."""

    key: str
    query_id: str
    attempt: int
    text: str
    finish_reason: str
    n_tokens: int
    n_prompt_tokens: int
    seed: int
    engine: str
    revision: str
    created: str


def identity(*, weights: str, system: str | None, sampling: Mapping[str, object]) -> str:
    """The digest of who answers and how: weights, system prompt and sampling.

    The chat template is part of the weights' revision. The engine is left out because it is a matter of
    the machine: the same model served elsewhere is the same teacher, and moving it must not cost its
    answers. Wrapping is left out because the ledger keeps the raw text.
    """
    parts = json.dumps([weights, system, dict(sampling)], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def attempt_seed(seed: int, query_id: str, attempt: int) -> int:
    """The seed of an attempt: 31 bits that depend on params' seed, the query and the attempt only."""
    digest = hashlib.sha256(f"{seed}/{query_id}/{attempt}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def attempt_key(identity: str, query_id: str, attempt: int, seed: int) -> str:
    """The key of an attempt; the seed is part of it, so that one key always means one request."""
    parts = f"{identity}/{query_id}/{attempt}/{seed}"
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


class Place(NamedTuple):
    """Where a record lies: its line is `length` bytes long, the line end included."""

    segment: Path
    offset: int
    length: int


class Found(Mapping[str, Record]):
    """Attempts by key; each text is read from the disk when it is asked for, and not kept."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._places = places

    def __getitem__(self, key: str) -> Record:
        return _read(self._places[key])

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class Ledger:
    """The attempts that all writers of a directory appended so far; the directory need not exist."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def get(self, keys: Collection[str]) -> Found:
        """The attempts among `keys` that are there; reads every segment once, keeps only places.

        Where segments hold different answers under one key, the first in order of segment name and
        position counts, and the conflict is reported on stderr.
        """
        wanted = {key.encode() for key in keys}
        places: dict[str, Place] = {}
        for segment in sorted(self._directory.glob(f"*{SUFFIX}")):
            for offset, line in _intact(segment):
                if line[KEY_START:KEY_END] not in wanted:
                    continue
                key, place = line[KEY_START:KEY_END].decode(), Place(segment, offset, len(line))
                first = places.setdefault(key, place)
                if first != place and _answer(first) != _answer(place):
                    _report(
                        f"{key}: {_at(place)} holds another answer than {_at(first)}, which is kept"
                    )
        return Found(places)

    def writer(self, name: str) -> Writer:
        """The only writer of segment `name`, to be used as a context."""
        return Writer(self._directory / f"{name}{SUFFIX}")


class Writer:
    """Appends attempts to one segment; raises RuntimeError where another process is writing to it."""

    def __init__(self, segment: Path) -> None:
        self._segment = segment
        self._lock = FileLock(segment.with_name(f".{segment.name}.lock"))

    def __enter__(self) -> Writer:
        self._segment.parent.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        _detach(self._segment)
        self._file = os.open(self._segment, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        _drop_torn_tail(self._segment, self._file)
        # The name of a new segment is safe only when its directory is on the disk too.
        directory = os.open(self._segment.parent, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
        self._lock.release()

    def append(self, records: Iterable[Record]) -> None:
        """Writes a batch and returns when it is on the disk; a batch that fails leaves nothing behind."""
        lines = memoryview(b"".join(_line(record) for record in records))
        before = os.fstat(self._file).st_size
        try:
            while lines:
                lines = lines[os.write(self._file, lines) :]
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, before)
            raise OSError(
                error.errno, f"{error.strerror}, attempts not kept", str(self._segment)
            ) from None


def _line(record: Record) -> bytes:
    fields = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    rest = f"{fields.pop('key')} {json.dumps(fields, ensure_ascii=False)}".encode()
    return b"%08x %s\n" % (zlib.crc32(rest), rest)


def _is_intact(line: bytes) -> bool:
    return line[8:9] == b" " and line[:8] == b"%08x" % zlib.crc32(line[KEY_START:-1])


def _intact(segment: Path) -> Iterator[tuple[int, bytes]]:
    """Every undamaged record of a segment with its offset; the rest is counted and reported."""
    offset, damaged = 0, []
    with segment.open("rb") as file:
        for line in file:
            if _is_intact(line) and line.endswith(b"\n"):
                yield offset, line
            elif line.endswith(b"\n"):
                damaged.append(offset)
            # A last line without an end is being written by another job, or torn: no record yet.
            offset += len(line)
    if damaged:
        _report(
            f"{segment}: {len(damaged)} damaged record(s) ignored, the first at byte {damaged[0]}; "
            "their attempts are asked again where they are wanted"
        )


def _read(place: Place) -> Record:
    with place.segment.open("rb") as file:
        file.seek(place.offset)
        line = file.read(place.length)
    if len(line) < place.length or not _is_intact(line):
        raise ValueError(f"{_at(place)} changed while it was read: run the stage again")
    return Record(key=line[KEY_START:KEY_END].decode(), **json.loads(line[KEY_END:]))


def _answer(place: Place) -> tuple[str, str, str]:
    record = _read(place)
    return record.query_id, record.text, record.finish_reason


def _at(place: Place) -> str:
    return f"{place.segment} at byte {place.offset}"


def _detach(segment: Path) -> None:
    """A segment that is a link into somebody's cache (DVC's, say) is replaced by a copy of its own."""
    if segment.is_symlink() or (segment.exists() and segment.stat().st_nlink > 1):
        copy = segment.with_name(f".{segment.name}.copy")
        shutil.copyfile(segment, copy)
        copy.replace(segment)


def _drop_torn_tail(segment: Path, file: int) -> None:
    size = keep = os.fstat(file).st_size
    while keep:
        start = max(0, keep - 65536)
        end = os.pread(file, keep - start, start).rfind(b"\n")
        keep = start + end + 1
        if end >= 0:
            break
    if keep < size:
        os.ftruncate(file, keep)
        _report(
            f"{segment}: a record cut short by a crash was dropped ({size - keep} bytes at the end)"
        )


def _report(message: str) -> None:
    print(f"ledger: {message}", file=sys.stderr, flush=True)
