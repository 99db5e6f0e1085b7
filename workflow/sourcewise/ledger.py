"""The ledger: every finished attempt, appended at once, found by content and never by position.

A ledger is a directory of segments, one per writer, so that jobs of different shards never write to the
same file (`segment` has their format). A segment may be moved, renamed, split from its ledger or put beside
those of another machine: nothing depends on its name.

Each batch is on the disk (fsync) before `append` returns. A batch that a crash cut short is dropped when
its segment is next opened for writing; a record that is damaged is reported and ignored. In both cases the
attempt counts as never made and is asked again. Where different answers stand under one key, the one made
first counts, on every machine the same one, and the conflict is reported.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import operator
import sys
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from sourcewise import segment
from sourcewise.appending import Appender
from sourcewise.segment import Block, Gap

SUFFIX = ".ledger"
# Enough to compress well together, few enough to read one of them alone.
BLOCK_RECORDS, BLOCKS_KEPT = 64, 32


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

    def answer(self) -> tuple[str, int, str, str]:
        """What must not differ under one key."""
        return self.query_id, self.attempt, self.text, self.finish_reason


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
    """Where a record lies: the how-manieth of which block of which segment."""

    segment: Path
    block: Block
    number: int

    def __str__(self) -> str:
        return f"{self.segment} at byte {self.block.offset}, record {self.number + 1}"


class Segments:
    """The segments of a ledger, open for reading; closed when nobody holds this any more."""

    def __init__(self, directory: Path) -> None:
        self._files = {path: path.open("rb", 0) for path in sorted(directory.glob(f"*{SUFFIX}"))}
        self._read: OrderedDict[tuple[Path, int], list[Record] | None] = OrderedDict()

    def scan(self) -> Iterator[tuple[Path, Block | Gap]]:
        """Every block of every segment, and what lies between them."""
        for path, file in self._files.items():
            for part in segment.scan(file.fileno()):
                yield path, part

    def records(self, path: Path, block: Block) -> list[Record] | None:
        """The records of a block; None where it is damaged.

        A few blocks are kept: who asks for attempts in the order of their queries finds them a little
        out of order.
        """
        name = path, block.offset
        if name not in self._read:
            content = segment.content(self._files[path].fileno(), block)
            self._read[name] = None if content is None else _unpack(block.keys, content)
            if len(self._read) > BLOCKS_KEPT:
                self._read.popitem(last=False)
        self._read.move_to_end(name)
        return self._read[name]

    def record(self, place: Place) -> Record:
        """The record at a place; raises ValueError where it is damaged."""
        records = self.records(place.segment, place.block)
        if records is None:
            raise ValueError(f"{place} changed while it was read: run the stage again")
        return records[place.number]

    def is_whole(self, path: Path, block: Block) -> bool:
        """Whether a block is as it was written."""
        return segment.is_whole(self._files[path].fileno(), block)


class Found(Mapping[str, Record]):
    """Attempts by key; each text is read from the disk when it is asked for, and not kept."""

    def __init__(self, segments: Segments, places: Mapping[bytes, Place]) -> None:
        self._segments, self._places = segments, places

    def __getitem__(self, key: str) -> Record:
        return self._segments.record(self._places[bytes.fromhex(key)])

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and bytes.fromhex(key) in self._places

    def __iter__(self) -> Iterator[str]:
        return (key.hex() for key in self._places)

    def __len__(self) -> int:
        return len(self._places)


class Ledger:
    """The attempts that all writers of a directory appended so far; the directory need not exist."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def get(self, keys: Collection[str]) -> Found:
        """The attempts among `keys` that are there; reads every directory once, keeps only places.

        Damage and conflicts are reported on stderr.
        """
        segments, wanted = Segments(self._directory), {bytes.fromhex(key) for key in keys}
        places: dict[bytes, Place] = {}
        damaged: dict[Path, list[int]] = {}
        for path, part in segments.scan():
            if isinstance(part, Gap):
                if not part.torn:
                    damaged.setdefault(path, []).append(part.offset)
            elif not wanted.isdisjoint(part.keys):
                if not segments.is_whole(path, part):
                    damaged.setdefault(path, []).append(part.offset)
                    continue
                for number, key in enumerate(part.keys):
                    if key in wanted:
                        place = Place(path, part, number)
                        known = places.setdefault(key, place)
                        if known is not place:
                            places[key] = _first(segments, known, place)
        for path, offsets in damaged.items():
            _report(
                f"{path}: damaged in {len(offsets)} place(s), the first at byte {min(offsets)}; "
                "attempts lost by it are asked again where they are wanted"
            )
        return Found(segments, places)

    def scan(self) -> Iterator[tuple[Path, Record | Gap]]:
        """Every record as it stands, those under one key too, with its segment; and what is none."""
        segments = Segments(self._directory)
        for path, part in segments.scan():
            if isinstance(part, Gap):
                yield path, part
            elif (records := segments.records(path, part)) is None:
                yield path, Gap(part.offset, part.length, torn=False)
            else:
                yield from ((path, record) for record in records)

    def writer(self, name: str) -> Writer:
        """The only writer of segment `name`, to be used as a context."""
        return Writer(self._directory / f"{name}{SUFFIX}")


def _first(segments: Segments, one: Place, other: Place) -> Place:
    """Of two places of one key the attempt that was made first; different answers are reported.

    Of the same second, that with the smaller digest: which segment is read first must not matter.
    """
    made = [(segments.record(place), place) for place in (one, other)]
    (first, kept), (second, left) = sorted(made, key=lambda entry: _precedence(entry[0]))
    if first.answer() != second.answer():
        _report(
            f"{first.key}: {left} holds another answer than {kept}, which was made first, counts"
        )
    return kept


def _precedence(record: Record) -> tuple[str, str]:
    content = json.dumps(dataclasses.asdict(record), sort_keys=True)
    return record.created, hashlib.sha256(content.encode()).hexdigest()


class Writer(Appender):
    """Appends attempts to one segment; raises RuntimeError where another process is writing to it."""

    def append(self, records: Iterable[Record]) -> None:
        """Writes a batch and returns when it is on the disk; a batch that fails leaves nothing behind."""
        waiting = iter(records)
        parts = list(iter(lambda: list(itertools.islice(waiting, BLOCK_RECORDS)), []))
        if len(parts) > 1:
            with ThreadPoolExecutor(2) as pool:
                self.write(pool.map(_block, parts))
        else:
            self.write(map(_block, parts))


_FIELDS = [f.name for f in dataclasses.fields(Record) if f.name not in ("key", "text")]
_values = operator.attrgetter(*_FIELDS)


def _block(records: Sequence[Record]) -> bytes:
    """Records as a block: a line of JSON with their fields by column, then their texts."""
    texts = [record.text.encode() for record in records]
    columns = dict(zip(_FIELDS, zip(*map(_values, records), strict=True), strict=True))
    head = json.dumps({**columns, "bytes": [len(text) for text in texts]})
    keys = [bytes.fromhex(record.key) for record in records]
    return segment.block(keys, b"".join([head.encode(), b"\n", *texts]))


def _unpack(keys: Sequence[bytes], content: bytes) -> list[Record]:
    start = content.index(b"\n") + 1
    columns = json.loads(content[:start])
    ends = list(itertools.accumulate(columns.pop("bytes"), initial=start))
    texts = [content[a:b].decode() for a, b in itertools.pairwise(ends)]
    rows = zip(*columns.values(), strict=True)
    return [
        Record(key=key.hex(), text=text, **dict(zip(columns, row, strict=True)))
        for key, text, row in zip(keys, texts, rows, strict=True)
    ]


def _report(message: str) -> None:
    print(f"ledger: {message}", file=sys.stderr, flush=True)
