"""Starts a sandbox, feeds it, watches it and makes sure that nothing of it is left."""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import subprocess
from collections.abc import Sequence
from typing import Any, NamedTuple

from sourcewise.grading.sandbox import decode, seccomp
from sourcewise.grading.sandbox.command import (
    NO_NAMESPACES,
    NOBODY,
    SandboxUnavailableError,
    command,
)
from sourcewise.grading.sandbox.conversation import Conversation, Limits

OUTPUT_BYTES = 1 << 20
READY = b"ready\n"
END_MS = 30_000
STARTS = 3  # a machine out of processes for a moment must not look like a wrong answer
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


def run_script(program: str, stdin: str, *, limits: Limits) -> Result:
    """A program run as a script on one input."""
    request = _request(program, [], limits) + stdin.encode("utf-8", "replace")
    return _run(request, limits)


def evaluate(
    program: str, expressions: Sequence[str], *, limits: Limits
) -> tuple[Result, list[decode.Value]]:
    """The values of expressions in the namespace of a program, one process for all.

    Fewer values than expressions come back where the program ended in between.
    """
    result = _run(_request(program, expressions, limits), limits)
    lines = result.output.split(b"\n")[:-1]  # a last line without its end was cut
    return result, [decode.value(line) for line in lines[: len(expressions)]]


def probe() -> None:
    """Makes one sandbox and uses it; raises SandboxUnavailableError with the remedy where that fails."""
    result, values = evaluate("def f(x): return x + 1", ["f(41)"], limits=Limits(5, 512))
    if result.ended != "exit" or values != [decode.Value(42, None)]:
        raise SandboxUnavailableError(
            NO_NAMESPACES.format(problem=f"a test program ended with {result}")
        )


def _request(program: str, expressions: Sequence[str], limits: Limits) -> bytes:
    parts = [text.encode("utf-8", "replace") for text in (program, *expressions)]
    numbers = [math.ceil(limits.seconds), limits.memory_mb, *map(len, parts)]
    return " ".join(map(str, numbers)).encode() + b"\n" + b"".join(parts)


def _run(request: bytes, limits: Limits) -> Result:
    """Runs a request; a sandbox that did not start is tried again and then an error, never a verdict."""
    for _ in range(STARTS):
        raw = _start(request, limits)
        if raw.output.startswith(READY):
            return _result(raw)
    problem = raw.errors.decode("utf-8", "replace").strip() or f"it ended with code {raw.code}"
    raise SandboxUnavailableError(NO_NAMESPACES.format(problem=problem))


def _result(raw: _Raw) -> Result:
    errors = raw.errors.decode("utf-8", "replace")
    code = raw.code - 128 if raw.code > 128 else raw.code
    if raw.stopped is not None:
        ended = raw.stopped
    elif raw.code > 128:
        ended = "timeout" if code in _CPU_SIGNALS else "crash"
    else:
        ended = "memory" if raw.code and "MemoryError" in errors else "exit"
    return Result(ended, raw.code, raw.output[len(READY) :], errors[-500:])


def _start(request: bytes, limits: Limits) -> _Raw:
    """One sandbox from start to its certain end."""
    filter_fd, info_fd, info_write = _filled_pipe(seccomp.program()), *os.pipe()
    fds = {"SECCOMP": str(filter_fd), "INFO": str(info_write)}
    # uid 65534 inside still is root outside, and root is exempt from RLIMIT_NPROC.
    identity: dict[str, Any] = (
        {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    )
    process = subprocess.Popen(
        [fds.get(part, part) for part in command()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[filter_fd, info_write],
        cwd="/",
        env={},
        **identity,
    )
    os.close(filter_fd)
    os.close(info_write)
    conversation = Conversation(process, request, output_bytes=OUTPUT_BYTES)
    try:
        stopped = conversation.run(limits)
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
