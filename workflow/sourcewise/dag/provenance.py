"""Provenance that travels with the data: what Snakemake knows of each file, as an output of each DVC stage.

Snakemake keeps its records in `.snakemake/`, which no clone has, and compares modification times, which
DVC does not keep. A sidecar per DVC stage (`data/prov/STAGE.jsonl.gz`, a DVC output) holds both;
`adopt` takes in a sidecar that DVC brought (pull, checkout, experiments), `export` writes it after a run.
Records are those of the pinned Snakemake: a new version may need one run without adoption.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

STATE = Path(".snakemake")
# Only facts about the result: the rest changes from run to run and would make DVC see new data.
_VOLATILE = ("job_hash", "starttime", "endtime", "log", "external_jobid")


def sidecar(stage: str) -> Path:
    """Where the provenance of a DVC stage lies."""
    return Path("data/prov") / f"{stage}.jsonl.gz"


def export(stage: str, files: Iterable[str]) -> None:
    """Writes the sidecar of a stage from Snakemake's records of its files; unchanged means untouched."""
    store = _Store()
    lines = []
    for file in sorted(files):
        record = store.read(file)
        if record is None or not Path(file).exists():
            continue
        kept = {k: v for k, v in record.items() if v is not None and k not in _VOLATILE}
        stat = Path(file).stat()
        line = {"file": file, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "record": kept}
        lines.append(json.dumps(line, sort_keys=True) + "\n")
    content = gzip.compress("".join(lines).encode(), mtime=0)
    path = sidecar(stage)
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(content)
        partial.replace(path)
    _mark(stage)


def adopt(stage: str) -> int:
    """Takes in the sidecar of a stage if it is not the one written or adopted last; returns the records."""
    path = sidecar(stage)
    if not path.exists() or (
        _stamp(stage).is_file() and _stamp(stage).read_text() == _digest(path)
    ):
        return 0
    store, n = _Store(), 0
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        entry = json.loads(line)
        file = Path(entry["file"])
        if not file.exists():
            continue
        if file.stat().st_size != entry["size"]:
            # Not the file that the record is about: without a record Snakemake makes it anew.
            store.delete(entry["file"])
            file.unlink()
            continue
        store.write(entry["file"], entry["record"])
        os.utime(file, ns=(entry["mtime_ns"], entry["mtime_ns"]), follow_symlinks=False)
        n += 1
    _mark(stage)
    return n


def _stamp(stage: str) -> Path:
    return STATE / "sourcewise" / f"{stage}.stamp"


def _mark(stage: str) -> None:
    _stamp(stage).parent.mkdir(parents=True, exist_ok=True)
    _stamp(stage).write_text(_digest(sidecar(stage)))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class _Store:
    """Snakemake's own records, read and written through its persistence class."""

    def __init__(self) -> None:
        from snakemake.persistence.file import FilePersistence

        self._store = FilePersistence(nolock=True, path=STATE.absolute())

    def read(self, file: str) -> dict[str, Any] | None:
        record = self._store._read_record(file)
        return record.model_dump() if record else None

    def write(self, file: str, record: dict[str, Any]) -> None:
        from snakemake.persistence import MetadataRecord

        self._store._write_record(file, MetadataRecord.model_validate(record))

    def delete(self, file: str) -> None:
        self._store._delete_record(file)
