"""Stage manifest: which files a corpus or a teacher consists of, and what they hold.

Reads every file that the patterns name; writes manifest.json. Jobs that read thousands of files name the
manifest as their input instead: it changes when one of them does.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path
from string import Formatter
from typing import Any

from sourcewise.progress import Progress


def run(*, name: str, header: dict[str, Any], patterns: list[str], folder: Path, out: Path) -> None:
    """Writes `header` and, under `files`, the MD5 of each file that a pattern names in `folder`.

    A pattern such as `round-{attempt}/{shard}.parquet` stands for all values of `attempt` (from 1 to
    `attempts`) and `shard` (the `shards`) of the header. Raises FileNotFoundError where one is missing.
    """
    files = [file for pattern in patterns for file in expanded(pattern, header)]
    progress = Progress(f"manifest {name}", len(files), "files")
    found = {}
    for file in files:
        with (folder / file).open("rb") as content:
            found[file] = hashlib.file_digest(content, "md5").hexdigest()
        progress.advance()
    progress.finish()
    out.write_text(json.dumps({**header, "files": found}, indent=1) + "\n", encoding="utf-8")
    print(f"manifest {name}: {len(files):,} files")


def expanded(pattern: str, header: dict[str, Any]) -> list[str]:
    """The file names that a pattern stands for."""
    domains: dict[str, list[Any]] = {
        "attempt": list(range(1, 1 + int(header.get("attempts", 0)))),
        "shard": header["shards"],
        "source": header.get("sources", []),
    }
    names = [name for _, name, _, _ in Formatter().parse(pattern) if name]
    combinations = itertools.product(*(domains[name] for name in names))
    return [pattern.format(**dict(zip(names, values, strict=True))) for values in combinations]
