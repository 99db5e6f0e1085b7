"""Rows of a data set on a hub, as a stream: nothing is written to this machine's disk."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from sourcewise.corpus.reading import Row, RowError, parsed
from sourcewise.params.queries import Hub


def rows(
    hub: Hub, *, malformed: Callable[[RowError], None] | None = None
) -> Iterator[tuple[str, Row]]:
    """Yields (data set@revision/part:row, row) of a split, or of the JSONL files that `files` names.

    Files are read line by line, each row by itself, because the files of one data set, and the rows of
    one file, often differ in their columns and types, which a table cannot hold. Raises ValueError where the
    data set cannot be read, RowError for a line that is not JSON unless `malformed` takes it.
    """
    if importlib.util.find_spec("datasets") is None:
        raise ValueError(
            f"the hub data set {hub.repo} needs the package 'datasets': run this stage in the environment "
            "'model', or fetch the files and use the key 'files'"
        )
    for part in hub.files or (hub.split,):
        name = f"{hub.repo}@{hub.revision}/{part}"
        try:
            for place, row in enumerate(_stream(hub, str(part)), start=1):
                at = f"{name}:{place}"
                try:
                    found = parsed(row["text"].encode(), at) if hub.files else row
                except RowError as error:
                    if malformed is None:
                        raise
                    malformed(error)
                    continue
                yield at, found
        except (OSError, ValueError) as error:
            if isinstance(error, RowError):
                raise
            raise ValueError(
                f"the hub data set {name} cannot be read ({error}): correct 'repo', 'subset', 'split', "
                "'files' or 'revision', or make the hub reachable"
            ) from None


def _stream(hub: Hub, part: str) -> Iterable[dict[str, Any]]:
    from datasets import load_dataset

    if hub.files is None:
        return load_dataset(hub.repo, hub.subset, split=part, revision=hub.revision, streaming=True)
    local = Path(hub.repo)
    file = local / part if local.is_dir() else f"hf://datasets/{hub.repo}@{hub.revision}/{part}"
    return load_dataset("text", data_files=str(file), split="train", streaming=True)
