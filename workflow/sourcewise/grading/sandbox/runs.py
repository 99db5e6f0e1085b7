"""What can be run in a sandbox: a Python script, expressions over a Python program, a binary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from sourcewise.grading.sandbox import decode
from sourcewise.grading.sandbox.command import (
    NO_NAMESPACES,
    SandboxUnavailableError,
    binary,
    loaded,
    python,
)
from sourcewise.grading.sandbox.supervisor import Result, run
from sourcewise.grading.sandbox.watch import Limits

TOO_LONG = "too long"


def run_script(program: str, stdin: str, *, limits: Limits) -> Result:
    """A program run as a script on one input."""
    request = _request(program, [], limits) + stdin.encode("utf-8", "replace")
    return run(python(), request, limits=limits)


def evaluate(
    program: str, expressions: Sequence[str], *, limits: Limits, longest: int | None = None
) -> tuple[Result, list[decode.Value]]:
    """The values of expressions in the namespace of a program, one process for all.

    Fewer values than expressions come back where the program ended in between. A value of more than
    `longest` bytes is not read, and has the error TOO_LONG in its place.
    """
    result = run(python(), _request(program, expressions, limits), limits=limits)
    lines = result.output.split(b"\n")[:-1]  # a last line without its end was cut
    return result, [
        decode.value(line)
        if longest is None or len(line) <= longest
        else decode.Value(None, TOO_LONG)
        for line in lines[: len(expressions)]
    ]


def run_binary(program: Path, stdin: bytes, *, limits: Limits) -> Result:
    """A compiled program run on one input."""
    binds = ("--ro-bind", str(program), "/program")
    parts = binary(limits.seconds, limits.memory_mb, ["/program"])
    return run(parts, stdin, limits=limits, binds=binds)


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
    return b"".join([loaded(), " ".join(map(str, numbers)).encode(), b"\n", *parts])
