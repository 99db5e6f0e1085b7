"""Manifests: which files of the corpus and of a teacher exist; nobody lists directories."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Corpus:
    """The cleaned queries by shard, as `data/queries/manifest.json` names them."""

    folder: Path
    shards: tuple[str, ...]

    def queries(self, shard: str) -> Path:
        """The Query table of a shard."""
        return self.folder / "corpus" / f"{shard}.parquet"


@dataclass(frozen=True)
class Distilled:
    """A teacher's attempts by round and shard, as `data/distill/{teacher}/manifest.json` names them."""

    folder: Path
    teacher: str
    attempts: int
    shards: tuple[str, ...]

    def responses(self, attempt: int, shard: str) -> Path:
        """The Response table of a round."""
        return self.folder / f"round-{attempt}" / f"{shard}.responses.parquet"

    def verdicts(self, attempt: int, shard: str) -> Path:
        """The Verdict table of a round."""
        return self.folder / f"round-{attempt}" / f"{shard}.verdicts.parquet"

    def perplexity(self, shard: str) -> Path:
        """The Perplexity table of a shard."""
        return self.folder / "perplexity" / f"{shard}.parquet"


def corpus(manifest: Path) -> Corpus:
    """Reads the corpus's manifest."""
    return Corpus(manifest.parent, tuple(_read(manifest, "shards")["shards"]))


def distilled(manifest: Path) -> Distilled:
    """Reads a teacher's manifest."""
    content = _read(manifest, "teacher", "attempts", "shards")
    return Distilled(
        manifest.parent, content["teacher"], content["attempts"], tuple(content["shards"])
    )


def _read(manifest: Path, *keys: str) -> dict[str, Any]:
    content = json.loads(manifest.read_text(encoding="utf-8"))
    missing = [key for key in keys if key not in content]
    if missing:
        raise ValueError(f"{manifest} has no key {missing[0]!r}: delete it and run again")
    return dict(content)
