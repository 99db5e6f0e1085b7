"""Clones and DVC remotes: what a person types to share a working copy, and what the tools say then."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from working_copy import Copy


def stale_stages(copy: Copy) -> set[str]:
    """The stages that `dvc status` names."""
    return set(json.loads(copy.call("dvc status --json 2> /dev/null")))


def assert_nothing_to_do(copy: Copy) -> None:
    """Both tools agree that everything is up to date."""
    assert copy.planned() == {}
    assert stale_stages(copy) == set()


def add_remote(copy: Copy, url: str, **options: object) -> None:
    """Sets the remote `store` up in the configuration that git does not see."""
    copy.call(f"dvc remote add --local --force -d store {url}")
    for name, value in options.items():
        copy.call(f"dvc remote modify --local store {name} {value}")


def clone(original: Copy, folder: Path, url: object, **options: object) -> Copy:
    """A `git clone` that knows the remote and has pulled nothing yet."""
    original.call(f"git clone -q . {folder}")
    copy = Copy(folder)
    add_remote(copy, str(url), **options)
    return copy


def pulled(original: Copy, folder: Path, url: object, **options: object) -> Copy:
    """A clone after `dvc pull`, in which no other command has run yet."""
    copy = clone(original, folder, url, **options)
    copy.call("dvc pull -q")
    return copy


def digest(copy: Copy, file: str) -> str:
    """The hash by which DVC keeps an output, or a file in an output that is a folder."""
    lock = (copy.folder / "dvc.lock").read_text()
    for path in (Path(file), *Path(file).parents):
        found = re.search(rf"path: {re.escape(str(path))}\n *hash: md5\n *md5: (\S+)", lock)
        if found and str(path) == file:
            return found[1]
        if found:
            listing = json.loads(entry(copy.folder / ".dvc/cache", found[1]).read_text())
            inner = str(Path(file).relative_to(path))
            return {known["relpath"]: known["md5"] for known in listing}[inner]
    raise AssertionError(f"dvc.lock has no {file}")


def entry(store: Path, md5: str) -> Path:
    """Where a remote or a cache keeps what has a hash."""
    return store / "files/md5" / md5[:2] / md5[2:]


@contextmanager
def stored(copy: Copy, store: Path, output: str) -> Iterator[Path]:
    """The object of an output in a remote folder; whatever is done to it is undone at the end."""
    file = entry(store, digest(copy, output))
    content = file.read_bytes()
    file.chmod(0o644)
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)
        file.write_bytes(content)
        file.chmod(0o444)
