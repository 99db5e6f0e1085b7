"""Talks to a running sandbox through its pipes, within limits of time, memory and output."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

LOOK_MS = 50
READ_BYTES = 1 << 16
MIB = 1 << 20
TREE_FACTOR = 1.5  # the whole tree of processes may hold this many times one process's memory


class Limits(NamedTuple):
    """CPU seconds and MiB of memory for one program; a sleeper is ended after `wall_seconds`."""

    seconds: float
    memory_mb: int

    @property
    def wall_seconds(self) -> float:
        """Generous, because a loaded machine must not change a verdict."""
        return 3 * self.seconds + 2


class Conversation:
    """Sends a request to a process and collects what it writes."""

    def __init__(
        self, process: subprocess.Popen[bytes], request: bytes, *, output_bytes: int
    ) -> None:
        if not (process.stdin and process.stdout and process.stderr):
            raise ValueError("the process needs pipes for its input, output and errors")
        self._process, self._unsent, self._room = process, memoryview(request), output_bytes
        self._pipes = (process.stdin, process.stdout, process.stderr)
        self._stdin, self._stdout, self._stderr = (pipe.fileno() for pipe in self._pipes)
        for pipe in self._pipes:
            os.set_blocking(pipe.fileno(), False)
        self.output, self.errors = bytearray(), bytearray()

    def run(self, limits: Limits) -> str | None:
        """Until the process ends (None), or why it must be ended: timeout, memory or output."""
        ended = os.pidfd_open(self._process.pid)
        poll = select.poll()
        for descriptor in (ended, self._stdout, self._stderr):
            poll.register(descriptor, select.POLLIN)
        poll.register(self._stdin, select.POLLOUT)
        deadline = time.monotonic() + limits.wall_seconds
        look = time.monotonic() + LOOK_MS / 1000
        try:
            while True:
                events = dict(poll.poll(LOOK_MS))
                for descriptor in events.keys() - {ended}:
                    if not self._serve(descriptor):
                        poll.unregister(descriptor)
                if len(self.output) + len(self.errors) > self._room:
                    return "output"
                if ended in events:
                    self._drain()
                    return None
                now = time.monotonic()
                if now > deadline:
                    return "timeout"
                if now > look:
                    look = now + LOOK_MS / 1000
                    if tree_bytes(self._process.pid) > TREE_FACTOR * limits.memory_mb * MIB:
                        return "memory"
        finally:
            os.close(ended)

    def _serve(self, descriptor: int) -> bool:
        """Writes or reads what a descriptor takes or has; false when it is finished."""
        if descriptor != self._stdin:
            return self._read(descriptor)
        with contextlib.suppress(BlockingIOError):
            try:
                self._unsent = self._unsent[os.write(descriptor, self._unsent) :]
            except BrokenPipeError:
                self._unsent = self._unsent[:0]
        if not self._unsent:
            self._pipes[0].close()
        return bool(self._unsent)

    def _read(self, descriptor: int) -> bool:
        try:
            part = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return True
        (self.output if descriptor == self._stdout else self.errors).extend(part)
        return bool(part)

    def _drain(self) -> None:
        """Reads what the pipes still hold; a process left behind may keep them open for ever."""
        for descriptor in (self._stdout, self._stderr):
            before = -1
            while before < len(self.output) + len(self.errors) <= self._room:
                before = len(self.output) + len(self.errors)
                self._read(descriptor)

    def close(self) -> None:
        """Closes the pipes."""
        for pipe in self._pipes:
            pipe.close()


def tree_bytes(pid: int) -> int:
    """Resident memory of a process and all its descendants; those that vanish meanwhile count 0."""
    total, waiting = 0, [pid]
    while waiting:
        process = Path(f"/proc/{waiting.pop()}")
        with contextlib.suppress(OSError, IndexError):
            total += int((process / "statm").read_text().split()[1]) * resource.getpagesize()
            for task in (process / "task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
    return total
