"""What files hold: their md5, from DVC's own memo of the files it has hashed.

DVC remembers the md5 of a file by inode, modification time and size. Asking and feeding that memo means
that no byte is read twice: what a run hashes for its provenance `dvc commit` does not hash again, and what
`dvc pull` brought is known without reading it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class Contents:
    """The md5 of the files of this working copy, each read at most once."""

    def __init__(self) -> None:
        self._state: Any = None
        self._seen: dict[str, tuple[tuple[int, float, int], str]] = {}

    def md5(self, files: Iterable[str]) -> dict[str, str]:
        """The md5 in hex of every file that exists."""
        from dvc_data.hashfile.hash import hash_file
        from dvc_objects.fs.local import localfs

        found: dict[str, str] = {}
        unseen: dict[str, str] = {}
        infos: dict[str, Any] = {}
        for file in files:
            path = os.path.abspath(file)
            if not os.path.isfile(path):
                continue
            info = localfs.info(path)
            seen = self._seen.get(path)
            if seen is not None and seen[0] == _identity(info):
                found[file] = seen[1]
            else:
                unseen[path], infos[path] = file, info
        if not unseen:
            return found
        new = []
        for path, _, entry in list(self._open().get_many(list(unseen), localfs, infos)):
            if entry is None or entry.name != "md5":
                _, entry = hash_file(path, localfs, "md5", info=infos[path])
                new.append((path, entry, infos[path]))
            found[unseen[path]] = entry.value
            self._seen[path] = (_identity(infos[path]), entry.value)
        self._open().save_many(new, localfs)
        return found

    def moved(self, files: dict[str, str]) -> None:
        """Tells DVC the md5 of files whose modification time was set, so that it need not read them."""
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_objects.fs.local import localfs

        entries = [(os.path.abspath(f), HashInfo("md5", md5), None) for f, md5 in files.items()]
        self._open().save_many(entries, localfs)

    def digest(self, files: Iterable[str]) -> str:
        """One digest over the names and contents of files, whatever their order; a missing file counts."""
        names = sorted(set(files))
        found = self.md5(names)
        lines = [f"{name} {found.get(name, 'missing')}\n" for name in names]
        return hashlib.md5("".join(lines).encode(), usedforsecurity=False).hexdigest()

    def _open(self) -> Any:
        # DVC takes half a second to import: only runs that ask pay for it.
        if self._state is None:
            from dvc.repo import Repo

            self._state = Repo(str(Path.cwd())).state
        return self._state


def _identity(info: dict[str, Any]) -> tuple[int, float, int]:
    return info["ino"], info["mtime"], info["size"]
