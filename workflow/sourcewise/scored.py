"""What scorers said of responses, kept beside a teacher's attempts and found by content.

A perplexity belongs to the scorer's weights, how much it reads, the query, the attempt and its text. It is
kept as soon as its batch is done, a batch a block (`segment`), so that a killed job, a further round, another
division into shards or an edit of another query scores only what was never scored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sourcewise import segment
from sourcewise.appending import Appender
from sourcewise.segment import Gap

SUFFIX = ".scores"
# Raised when what is computed for the same text becomes another number.
VERSION = 1


class Scored(NamedTuple):
    """A perplexity over `n_tokens`; `cut` where the text was longer than the scorer reads."""

    perplexity: float
    n_tokens: int
    cut: bool


def key(*, weights: str, max_tokens: int, query_id: str, attempt: int, text: str) -> bytes:
    """The key of a score; `weights` stand for the scorer with its tokenizer and chat template."""
    said = hashlib.sha256(text.encode()).hexdigest()
    parts = json.dumps([VERSION, weights, max_tokens, query_id, attempt, said])
    return hashlib.sha256(parts.encode()).digest()[: segment.KEY_BYTES]


def known(directory: Path, keys: Iterable[bytes]) -> dict[bytes, Scored]:
    """The scores among `keys` that any segment of a directory holds; damaged blocks count as not scored.

    Of two under one key that which was made first counts, of the same second the lower.
    """
    wanted = set(keys)
    found: dict[bytes, tuple[str, Scored]] = {}
    for block_keys, content in _whole(directory, wanted):
        held = json.loads(content)
        for one, row in zip(block_keys, held["scores"], strict=True):
            score = held["created"], Scored(*row)
            if one in wanted and (one not in found or score < found[one]):
                found[one] = score
    return {one: score for one, (_, score) in found.items()}


def merge(directory: Path, into: Path, name: str) -> int:
    """Copies the blocks that `into` lacks to its segment `name`; how many scores they hold.

    A block goes over as it is, with its time: what counts does not depend on who was merged first.
    """
    held = set(_whole(into))
    lacking = dict.fromkeys(block for block in _whole(directory) if block not in held)
    if lacking:
        with Appender(into / f"{name}{SUFFIX}") as file:
            file.write(segment.block(keys, content) for keys, content in lacking)
    return sum(len(keys) for keys, _ in lacking)


def _whole(
    directory: Path, wanted: Set[bytes] | None = None
) -> Iterator[tuple[tuple[bytes, ...], bytes]]:
    """Keys and content of the undamaged blocks of all segments; of those with a wanted key, or of all."""
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        with path.open("rb", 0) as file:
            for part in segment.scan(file.fileno()):
                if isinstance(part, Gap) or (wanted is not None and wanted.isdisjoint(part.keys)):
                    continue
                if (content := segment.content(file.fileno(), part)) is not None:
                    yield part.keys, content


class Writer(Appender):
    """Appends scores to one segment, to be used as a context."""

    def __init__(self, directory: Path, name: str, *, engine: str) -> None:
        super().__init__(directory / f"{name}{SUFFIX}")
        self._engine = engine

    def append(self, batches: Iterable[Mapping[bytes, Scored]]) -> None:
        """Writes batches, each as a whole or not at all, and returns when they are on the disk."""
        self.write(map(self._block, batches))

    def _block(self, batch: Mapping[bytes, Scored]) -> bytes:
        created = datetime.now(UTC).isoformat(timespec="seconds")
        scores: Sequence[Scored] = list(batch.values())
        held = {"engine": self._engine, "created": created, "scores": scores}
        return segment.block(list(batch), json.dumps(held).encode())
