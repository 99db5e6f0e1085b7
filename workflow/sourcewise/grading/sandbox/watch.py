"""What a sandbox's processes have used, read off /proc, and whether that is more than they may."""

from __future__ import annotations

import contextlib
import os
import time
from typing import NamedTuple

LOOK_MS = 50
MIB = 1 << 20
TREE_FACTOR = 1.5  # the whole tree of processes may hold this many times one process's memory
OUTPUT_BYTES = 1 << 20
_TICKS, _PAGE_BYTES = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


class Limits(NamedTuple):
    """CPU seconds of the whole tree, MiB of memory for one process, bytes of output.

    The clock counts only against sleepers: a loaded machine must not change a verdict.
    """

    seconds: float
    memory_mb: int
    output_bytes: int = OUTPUT_BYTES

    @property
    def idle_seconds(self) -> float:
        """The longest sleep of all processes of the tree together."""
        return self.seconds + 2

    @property
    def wall_seconds(self) -> float:
        """For what neither works nor sleeps, such as a parent that waits in vfork."""
        return 20 * self.seconds + 10


class _Usage(NamedTuple):
    """A process: its own clock ticks, those of the children it waited for, its memory and its state."""

    ticks: int
    children_ticks: int
    n_bytes: int
    state: str


class Watch:
    """Adds up what a tree of processes uses, from one look to the next."""

    def __init__(self, pid: int, limits: Limits) -> None:
        self._pid, self._limits = pid, limits
        self._last = self._begin = time.monotonic()
        self._idle = 0.0
        self._ended_ticks = 0
        self._seen: dict[int, _Usage] = {}

    def exceeded(self) -> str | None:
        """Why the tree must be ended (timeout or memory), None while it may go on."""
        tree = _tree(self._pid)
        now = time.monotonic()
        if all(usage.state in "STtZX" for usage in tree.values()):
            # A late look is this process's own delay, and no sleep of the program's.
            self._idle += min(now - self._last, 2 * LOOK_MS / 1000)
        self._last = now
        self._ended_ticks += sum(
            usage.ticks for pid, usage in self._seen.items() if pid not in tree
        )
        self._seen = tree
        if sum(usage.n_bytes for usage in tree.values()) > (
            TREE_FACTOR * self._limits.memory_mb * MIB
        ):
            return "memory"
        late = now - self._begin > self._limits.wall_seconds
        if self._seconds() > self._limits.seconds or self._idle > self._limits.idle_seconds or late:
            return "timeout"
        return None

    def _seconds(self) -> float:
        """CPU seconds so far.

        What ended is counted by its parent if that waited for it, and by its last look otherwise: a
        parent that ignores SIGCHLD is told nothing.
        """
        own = sum(usage.ticks for usage in self._seen.values())
        waited = sum(usage.children_ticks for usage in self._seen.values())
        return (own + max(waited, self._ended_ticks)) / _TICKS


def _tree(pid: int) -> dict[int, _Usage]:
    """A process and its descendants; those that vanish meanwhile are left out."""
    found: dict[int, _Usage] = {}
    waiting = [pid]
    while waiting:
        current = waiting.pop()
        with contextlib.suppress(OSError, IndexError):
            # The name, in parentheses, may hold anything: fields are counted after it.
            fields = _read(f"/proc/{current}/stat").rpartition(b")")[2].split()
            user, system, waited_user, waited_system = map(int, fields[11:15])
            n_bytes = int(fields[21]) * _PAGE_BYTES
            state = fields[0].decode()
            found[current] = _Usage(user + system, waited_user + waited_system, n_bytes, state)
            for task in os.listdir(f"/proc/{current}/task"):  # noqa: PTH208
                waiting += map(int, _read(f"/proc/{current}/task/{task}/children").split())
    return found


def _read(path: str) -> bytes:
    """A short file of /proc; without pathlib, as this is what a look costs."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 1 << 16)
    finally:
        os.close(descriptor)
