"""Where compiled programs are kept: files under the digest of what they were made from.

The folder is $SOURCEWISE_CACHE, else $XDG_CACHE_HOME/sourcewise, else ~/.cache/sourcewise; as root, where the
sandbox's user cannot enter that folder, /var/cache/sourcewise. Files appear by rename, so that any number of
processes may share it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from sourcewise.grading.sandbox.command import reachable
from sourcewise.grading.sandbox.watch import MIB

CACHE_BYTES = 2048 * MIB
DIGEST_BYTES = 32
_NO_FOLDER = (
    "{folder}, where compiled programs are kept, {problem}: set SOURCEWISE_CACHE to a folder that this "
    "user may write and everybody may enter"
)


class NoFolderError(Exception):
    """There is no place for compiled programs; the message names the remedy."""

    def __init__(self, folder: Path, problem: object) -> None:
        super().__init__(_NO_FOLDER.format(folder=folder, problem=problem))


def folder() -> Path:
    """The cache; everybody may enter it, as the sandbox is set up by an unprivileged user."""
    named = os.environ.get("SOURCEWISE_CACHE")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sourcewise"
    chosen = Path(named) if named else home
    there = next(path for path in (chosen, *chosen.absolute().parents) if path.exists())
    if not reachable(there):
        if named:
            raise NoFolderError(there, "is closed to the sandbox's user")
        chosen = Path("/var/cache/sourcewise")
    try:
        _open(chosen)
    except OSError as error:
        raise NoFolderError(chosen, error) from None
    return chosen


def whole(kept: Path) -> bool:
    """Whether a file is what was kept: its last bytes are the digest of all before them."""
    try:
        content = kept.read_bytes()
        os.utime(kept)
    except OSError:
        return False
    program, digest = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
    return hashlib.sha256(program).digest() == digest


def keep(program: bytes, kept: Path) -> None:
    """Puts a binary into the cache at once; those that were not used for longest make room for it."""
    try:
        _open(kept.parent)
        with tempfile.NamedTemporaryFile(dir=kept.parent, prefix=".", delete=False) as file:
            draft = Path(file.name)
            try:
                # Bytes after the end of an ELF file are read by nobody but `whole`.
                file.write(program + hashlib.sha256(program).digest())
                file.flush()
                draft.chmod(0o755)
            except OSError:
                draft.unlink()
                raise
        draft.rename(kept)
    except OSError as error:
        raise NoFolderError(kept.parent, error) from None
    _make_room(kept.parent)


def _make_room(binaries: Path) -> None:
    entries = []
    for path in binaries.iterdir():
        with contextlib.suppress(OSError):  # another process may have removed it
            entries.append((path.stat().st_mtime_ns, path.stat().st_size, path))
    room = CACHE_BYTES - sum(n_bytes for _, n_bytes, _ in entries)
    for _, n_bytes, path in sorted(entries):
        if room >= 0:
            break
        path.unlink(missing_ok=True)
        room += n_bytes


def _open(chosen: Path) -> None:
    """Makes a folder that everybody may enter."""
    if not chosen.is_dir():
        chosen.mkdir(parents=True, exist_ok=True)
        chosen.chmod(0o755)
