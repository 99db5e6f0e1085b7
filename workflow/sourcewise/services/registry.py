"""Where jobs find the replicas of a served teacher: small files in the working copy, each renamed into place.

`fleet.json` is the supervisor's: which teachers it serves, and a beat that tells the living from the dead.
`replicas/*.json` are addresses that answer. A job that wants a teacher touches `wanted/TEACHER`. Nothing is
read off a clock of another machine: a file is fresh where it changed while this process looked at it.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

Kind = TypeVar("Kind")
FOLDER = Path(".snakemake/sourcewise/services")
# A supervisor beats more often; a shared file system may show a file's last state a minute late.
BEAT_SECONDS, DEAD_SECONDS = 5.0, 180.0


@dataclass(frozen=True, slots=True)
class Served:
    """A teacher as the supervisor serves it; `failed` says why it no longer tries."""

    model: str
    revision: str
    wanted: bool = False
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """What a supervisor says of itself; `key` is the token that its replicas ask for."""

    fleet: str
    beat: int
    key: str
    teachers: Mapping[str, Served]

    def write(self, folder: Path = FOLDER) -> None:
        """Renames it into place; no other user may read the key."""
        _write(folder / "fleet.json", asdict(self))

    @classmethod
    def read(cls, folder: Path = FOLDER) -> Fleet | None:
        """The fleet of this working copy; None where there is none."""
        return _read(folder / "fleet.json", cls)

    def teacher(self, model: str, revision: str) -> str | None:
        """The teacher that is this model."""
        for name, one in self.teachers.items():
            if (one.model, one.revision) == (model, revision):
                return name
        return None


@dataclass(frozen=True, slots=True)
class Replica:
    """An address that answers, such as `http://node7:40123/v1`."""

    fleet: str
    teacher: str
    number: int
    url: str

    def announce(self, folder: Path = FOLDER) -> None:
        """From now on jobs ask it."""
        _write(self._path(folder), asdict(self))

    def withdraw(self, folder: Path = FOLDER) -> None:
        """From now on no job asks it anything new."""
        withdraw(self.teacher, self.number, folder)

    def _path(self, folder: Path) -> Path:
        return _path(self.teacher, self.number, folder)


def withdraw(teacher: str, number: int, folder: Path = FOLDER) -> None:
    """Removes the address of a replica, which may have ended without doing so itself."""
    _path(teacher, number, folder).unlink(missing_ok=True)


def _path(teacher: str, number: int, folder: Path) -> Path:
    return folder / "replicas" / f"{teacher}-{number}.json"


def replicas(fleet: Fleet, teacher: str, folder: Path = FOLDER) -> list[Replica]:
    """The replicas of a teacher that answer, in the order of their numbers."""
    found = (_read(path, Replica) for path in (folder / "replicas").glob(f"{teacher}-*.json"))
    ours = [one for one in found if one and (one.fleet, one.teacher) == (fleet.fleet, teacher)]
    return sorted(ours, key=lambda one: one.number)


def want(teacher: str, folder: Path = FOLDER) -> None:
    """Says that a job wants the teacher right now."""
    path = folder / "wanted" / teacher
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@dataclass
class Watch:
    """How long ago something changed, by this process's own clock."""

    _seen: object = None
    _at: float = field(default_factory=time.monotonic)

    def seconds(self, value: object) -> float:
        """Seconds since a value other than this one was shown; 0 where it is new."""
        if value != self._seen:
            self._seen, self._at = value, time.monotonic()
        return time.monotonic() - self._at


def last_wanted(teacher: str, folder: Path = FOLDER) -> int | None:
    """Changes with each `want`; None where nobody ever did."""
    with contextlib.suppress(FileNotFoundError):
        return (folder / "wanted" / teacher).stat().st_mtime_ns
    return None


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.replace(path)


def _read(path: Path, kind: type[Kind]) -> Kind | None:
    # A file that is being replaced on a shared file system may be gone, or half there, for a moment.
    with contextlib.suppress(OSError, ValidationError):
        return TypeAdapter(kind).validate_json(path.read_bytes())
    return None
