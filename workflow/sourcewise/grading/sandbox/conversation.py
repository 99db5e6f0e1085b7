"""Talks to a running sandbox through its pipes, within limits of time, memory and output."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time

from sourcewise.grading.sandbox.watch import LOOK_MS, Limits, Watch

READ_BYTES = 1 << 16


class Conversation:
    """Sends a request to a process and collects what it writes."""

    def __init__(self, process: subprocess.Popen[bytes], request: bytes, *, limits: Limits) -> None:
        if not (process.stdin and process.stdout and process.stderr):
            raise ValueError("the process needs pipes for its input, output and errors")
        self._process, self._unsent, self._limits = process, memoryview(request), limits
        self._pipes = (process.stdin, process.stdout, process.stderr)
        self._stdin, self._stdout, self._stderr = (pipe.fileno() for pipe in self._pipes)
        for pipe in self._pipes:
            os.set_blocking(pipe.fileno(), False)
        self.output, self.errors = bytearray(), bytearray()

    def run(self) -> str | None:
        """Until the process ends (None), or why it must be ended: timeout, memory or output."""
        ended = os.pidfd_open(self._process.pid)
        poll = select.poll()
        for descriptor in (ended, self._stdout, self._stderr):
            poll.register(descriptor, select.POLLIN)
        poll.register(self._stdin, select.POLLOUT)
        watch = Watch(self._process.pid, self._limits)
        look = time.monotonic() + LOOK_MS / 1000
        try:
            while True:
                events = dict(poll.poll(LOOK_MS))
                for descriptor in events.keys() - {ended}:
                    if not self._serve(descriptor):
                        poll.unregister(descriptor)
                if self._room() < 0:
                    return "output"
                if ended in events:
                    self._drain()
                    return None
                now = time.monotonic()
                if now > look:
                    look = now + LOOK_MS / 1000
                    if reason := watch.exceeded():
                        return reason
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
            before = None
            while before != self._room() >= 0:
                before = self._room()
                self._read(descriptor)

    def _room(self) -> int:
        """Bytes that the program may still write; below 0 where it wrote too much."""
        return self._limits.output_bytes - len(self.output) - len(self.errors)

    def close(self) -> None:
        """Closes the pipes."""
        for pipe in self._pipes:
            pipe.close()
