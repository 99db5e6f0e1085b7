"""The only writer of a segment: what it wrote is on the disk, and a crash costs no more than its last call."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from sourcewise import segment
from sourcewise.lock import FileLock
from sourcewise.segment import Gap


class Appender:
    """Appends blocks to one segment; raises RuntimeError where another process is writing to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(path.with_name(f".{path.name}.lock"))

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        _detach(self._path)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        _drop_torn_tail(self._path, self._file)
        # The name of a new segment is safe only when its directory is on the disk too.
        directory = os.open(self._path.parent, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
        self._lock.release()

    def write(self, blocks: Iterable[bytes]) -> None:
        """Writes blocks and returns when they are on the disk; a call that fails leaves nothing behind."""
        left = memoryview(b"".join(blocks))
        before = os.fstat(self._file).st_size
        try:
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, before)
            raise OSError(
                error.errno, f"{error.strerror}, attempts not kept", str(self._path)
            ) from None


def _detach(path: Path) -> None:
    """A segment that is a link into somebody's cache (DVC's, say) is replaced by a copy of its own."""
    if path.is_symlink() or (path.exists() and path.stat().st_nlink > 1):
        copy = path.with_name(f".{path.name}.copy")
        shutil.copyfile(path, copy)
        copy.replace(path)


def _drop_torn_tail(path: Path, file: int) -> None:
    for part in segment.scan(file):
        if isinstance(part, Gap) and part.torn:
            os.ftruncate(file, part.offset)
            said = f"a batch cut short by a crash was dropped ({part.length} bytes at the end)"
            print(f"ledger: {path}: {said}", file=sys.stderr, flush=True)
