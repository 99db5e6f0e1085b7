"""Snakemake's own records of the files it made, read and written through its persistence class.

Their format is internal to Snakemake: envs/workflow.lock pins the version.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sourcewise.dag.provenance import STATE, Trace

# Only facts about the result: the rest changes from run to run and would make DVC see new data.
_VOLATILE = ("job_hash", "starttime", "endtime", "log", "external_jobid")
# The `code` of a record that says: nobody knows what this file was made from.
UNKNOWN = "of unknown origin"


class Store:
    """The records of one working copy."""

    def __init__(self) -> None:
        from snakemake.persistence.file import FilePersistence

        self._store = FilePersistence(nolock=True, path=STATE.absolute())

    def read(self, file: str) -> dict[str, Any] | None:
        """The record of a file as a mapping."""
        found = self._store._io_read(self._store._metadata_path, file)
        return dict(found) if found else None

    def adopt(self, trace: Trace) -> None:
        """Gives a file the record and the modification time of a trace."""
        os.utime(trace.file, ns=(trace.mtime_ns, trace.mtime_ns), follow_symlinks=False)
        self._write(trace.file, trace.record)

    def touch(self, file: str, time_ns: int) -> None:
        """Sets the time of a file that stays what its record says."""
        os.utime(file, ns=(time_ns, time_ns))
        self._write(file, self.read(file) or {})

    def begun(self, files: Iterable[str]) -> set[str]:
        """The files whose job was started and not seen to end."""
        return self._store._filter_incomplete_keys(files)

    def disown(self, file: str) -> None:
        """Marks a file as one that no record describes: Snakemake makes it anew."""
        from snakemake.persistence import RECORD_FORMAT_VERSION

        if not Path(file).exists():
            self._store._io_delete(self._store._incomplete_path, file)
            return
        self._write(file, {"code": UNKNOWN, "record_format_version": RECORD_FORMAT_VERSION})

    def kept(self, file: str) -> dict[str, Any] | None:
        """The part of a record that is a fact about the result."""
        record = self.read(file)
        if record is None or record.get("code") == UNKNOWN:
            return None
        return {k: v for k, v in record.items() if v is not None and k not in _VOLATILE}

    def _write(self, file: str, record: dict[str, Any]) -> None:
        ended = os.stat(file).st_mtime
        path = self._store._record_path(self._store._metadata_path, file)
        # In one piece: Snakemake's own way streams through Python's slow encoder.
        text = json.dumps({**record, "endtime": ended})
        try:
            Path(path).write_text(text)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path))
            Path(path).write_text(text)
        self._store._io_delete(self._store._incomplete_path, file)
