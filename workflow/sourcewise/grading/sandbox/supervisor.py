"""Starts a sandbox, feeds it, watches it and makes sure that nothing of it is left."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from sourcewise.grading.sandbox import seccomp
from sourcewise.grading.sandbox.command import (
    NO_NAMESPACES,
    SandboxUnavailableError,
    command,
)
from sourcewise.grading.sandbox.conversation import Conversation
from sourcewise.grading.sandbox.watch import Limits

READY = b"ready\n"
END_MS = 30_000
STARTS = 3  # a machine out of processes for a moment must not look like a wrong answer
NO_MEMORY = ("MemoryError", "std::bad_alloc", "out of memory", "memory exhausted")
SHOWN = 2000  # characters of the errors' beginning, and as many of their end
_CPU_SIGNALS = (signal.SIGXCPU, signal.SIGKILL)


class Result(NamedTuple):
    """What a program wrote, and how it ended: `ended` is exit, timeout, memory, crash or output."""

    ended: str
    code: int
    output: bytes
    errors: str


class _Raw(NamedTuple):
    stopped: str | None  # why the supervisor ended it
    code: int
    output: bytes
    errors: bytes


def run(
    program: Sequence[str], request: bytes, *, limits: Limits, binds: Sequence[str] = ()
) -> Result:
    """Runs a program on its input; one that did not start is tried again and then an error, no verdict.

    Its first words are READY; `binds` are flags of bwrap.
    """
    for _ in range(STARTS):
        raw = _start([*command(), "--", *program], request, limits, binds)
        if raw.output.startswith(READY):
            return _result(raw)
    problem = raw.errors.decode("utf-8", "replace").strip() or f"it ended with code {raw.code}"
    raise SandboxUnavailableError(NO_NAMESPACES.format(problem=problem))


def _result(raw: _Raw) -> Result:
    errors = raw.errors.decode("utf-8", "replace")
    code = raw.code - 128 if raw.code > 128 else raw.code
    if raw.stopped is not None:
        ended = raw.stopped
    elif raw.code and any(words in errors for words in NO_MEMORY):
        ended = "memory"
    elif raw.code > 128:
        ended = "timeout" if code in _CPU_SIGNALS else "crash"
    else:
        ended = "exit"
    if len(errors) > 2 * SHOWN:
        errors = f"{errors[:SHOWN]}\n…\n{errors[-SHOWN:]}"
    return Result(ended, raw.code, raw.output[len(READY) :], errors)


def _start(parts: Sequence[str], request: bytes, limits: Limits, binds: Sequence[str]) -> _Raw:
    """One sandbox from start to its certain end."""
    filter_fd, info_fd, info_write = _filled_pipe(seccomp.program()), *os.pipe()
    filled = {"SECCOMP": [str(filter_fd)], "INFO": [str(info_write)], "BINDS": binds}
    process = subprocess.Popen(
        [word for part in parts for word in filled.get(part, [part])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[filter_fd, info_write],
        cwd="/",
        env={},
    )
    os.close(filter_fd)
    os.close(info_write)
    conversation = Conversation(process, request, limits=limits)
    try:
        stopped = conversation.run()
    finally:
        _end(process, info_fd)
        conversation.close()
    return _Raw(stopped, process.returncode, bytes(conversation.output), bytes(conversation.errors))


def _filled_pipe(content: bytes) -> int:
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)
    return reader


def _end(process: subprocess.Popen[bytes], info_fd: int) -> None:
    """Returns when every process of the sandbox is gone: the first one ends only after all others."""
    with os.fdopen(info_fd, "rb") as info:
        text = info.read()  # bwrap has written it and closed its end before the program starts
    first = None
    if text:
        with contextlib.suppress(OSError):
            first = os.pidfd_open(json.loads(text)["child-pid"])
    if process.poll() is None:
        if first is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(first, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
    if first is not None:
        gone = select.poll()
        gone.register(first, select.POLLIN)
        if not gone.poll(END_MS):
            raise SandboxUnavailableError(
                f"sandbox {process.pid} does not end: it survives SIGKILL"
            )
        os.close(first)
