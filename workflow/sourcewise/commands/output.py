"""A file that appears under its name when it is complete, and not before."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from sourcewise.commands.environment import UsageError

STDOUT = "-"


class Output:
    """JSON lines that go to a file, or to stdout for `-`; nothing is left behind where the block raises.

    Raises UsageError where nothing can be written there.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._partial: Path | None = None
        try:
            self._file = self._open()
        except OSError as error:
            raise UsageError(f"--out {name}: {error.strerror}") from None

    def _open(self) -> BinaryIO:
        if self.name == STDOUT:
            return sys.stdout.buffer
        # A link stays a link: what it points to is replaced.
        self._path = Path(self.name).resolve()
        if self._path.exists() and not self._path.is_file():
            # Such as a pipe or /dev/null, which a rename would replace.
            if stat.S_ISDIR(self._path.stat().st_mode):
                raise UsageError(f"--out {self.name} is a folder: name a file in it")
            return self._path.open("wb")
        if not self._path.parent.is_dir():
            raise UsageError(f"--out {self.name}: the folder {self._path.parent} does not exist")
        self._partial = self._path.with_name(f".{self._path.name}.{os.getpid()}.partial")
        return self._partial.open("wb")

    def write(self, line: Mapping[str, Any]) -> None:
        """Appends one line."""
        text = json.dumps(line, ensure_ascii=False)
        # Half a surrogate pair has no UTF-8; Python's escape for it is JSON's.
        self._file.write(text.encode("utf-8", "backslashreplace") + b"\n")

    def __enter__(self) -> Output:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if self.name == STDOUT:
                self._file.flush()
                return
            self._file.close()
            if kind is None and self._partial:
                self._partial.replace(self._path)
        finally:
            if self._partial:
                self._partial.unlink(missing_ok=True)
