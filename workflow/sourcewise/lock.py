"""One writer at a time: a file lock that ends with the process that holds it, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import weakref
from pathlib import Path


class FileLock:
    """An exclusive lock on a path; the file holds the owner's pid and is gone when nobody holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        # A forked child (an engine's worker, say) would otherwise keep the lock when its parent is gone.
        reference = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _forget(reference()))

    def acquire(self) -> None:
        """Takes the lock; raises RuntimeError with the pid of the process that holds it."""
        while True:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = os.pread(file, 32, 0).decode().strip() or "unknown"
                os.close(file)
                raise RuntimeError(
                    f"{self._path} is held by process {owner}, which writes beside it: "
                    "wait for it or end it, then run again"
                ) from None
            if self._is_current(file):
                break
            os.close(file)
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        self._file = file

    def _is_current(self, file: int) -> bool:
        """Whether the file still bears the name: its last owner may have removed it meanwhile."""
        with contextlib.suppress(FileNotFoundError):
            return self._path.stat().st_ino == os.fstat(file).st_ino
        return False

    def release(self) -> None:
        """Gives the lock back and removes its file."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None


def _forget(lock: FileLock | None) -> None:
    if lock is not None and lock._file is not None:
        os.close(lock._file)
        lock._file = None
