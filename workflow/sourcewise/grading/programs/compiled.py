"""Runs C++ programs on their tests; both sides of a test that calls a function are compiled, apart."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sourcewise.gradable.code import Reference
from sourcewise.gradable.declaration import declaration
from sourcewise.gradable.unusable import UnusableReferenceError
from sourcewise.grading import sandbox
from sourcewise.grading.attempts import Outcome, failed, scored
from sourcewise.grading.programs import cpp
from sourcewise.grading.programs.testing import ended, outcome, scripts

_MARK = b"\nSOURCEWISE "


class Recording(NamedTuple):
    """The calls that a test makes, and how many things it checks."""

    calls: bytes
    n_checks: int


def built(sources: Sequence[str], seconds: float) -> Path:
    """The binary of the first source that compiles; raises the first's CompileError if none does."""
    errors = []
    for source in sources:
        try:
            return sandbox.build(source, seconds=seconds)
        except sandbox.CompileError as error:
            if error.ended != "error":
                raise
            errors.append(error)
    raise errors[0]


def not_compiled(error: sandbox.CompileError, n_tests: int) -> Outcome:
    """The outcome of a program that was not built: an error in it is a failed program."""
    match error.ended:
        case "error":
            return scored(0.0, f"does not compile: {error}", passed=0, tests=n_tests)
        case "output":
            return failed("crash", "the compiled program is too large")
        case "unavailable":
            return failed("unavailable", str(error))
    return failed(error.ended, f"the compiler was ended: {error}")


def compiled_scripts(
    program: str, tests: Sequence[tuple[str, str]], seconds: float, limits: sandbox.Limits
) -> Outcome:
    """The outcome of a program that reads an input and writes an output."""
    try:
        binary = built(cpp.script(program), seconds)
    except sandbox.CompileError as error:
        return not_compiled(error, len(tests))

    def run(stdin: str, limits: sandbox.Limits) -> sandbox.Result:
        return sandbox.run_binary(binary, stdin.encode("utf-8", "replace"), limits=limits)

    return scripts(run, tests, limits)


def compiled_replay(
    program: str, reference: Reference, max_tests: int, seconds: float, limits: sandbox.Limits
) -> Outcome:
    """The outcome of a function by what the test, which never meets it, says to its values."""
    recording = record(reference.prelude, reference.test, seconds, limits)
    n = min(recording.n_checks, max_tests)
    try:
        binary = built(cpp.answering(program, declaration(reference.prelude)), seconds)
    except sandbox.CompileError as error:
        return not_compiled(error, n)
    answers = sandbox.run_binary(binary, recording.calls, limits=limits)
    test = _test(reference.prelude, reference.test, seconds)
    replay = sandbox.run_binary(test, b"C" + answers.output, limits=limits)
    checks = _parts(replay)[1][:n]
    passed = checks.count(b"1")
    problem = "" if passed == n else f"check {(checks + b'0').index(b'0') + 1} is not met"
    if passed < n and (answers.ended != "exit" or answers.code):
        problem += f": {ended(answers)}"
    return outcome(passed, n, problem, answers)


@functools.lru_cache(maxsize=64)
def record(declared: str, test: str, seconds: float, limits: sandbox.Limits) -> Recording:
    """What a test asks; raises UnusableReferenceError where it does not compile or does not end well."""
    result = sandbox.run_binary(_test(declared, test, seconds), b"R", limits=limits)
    calls, checks = _parts(result)
    if result.ended != "exit" or result.code or not checks:
        raise UnusableReferenceError(f"the test checks nothing: {ended(result)}")
    return Recording(calls, len(checks))


def _test(declared: str, test: str, seconds: float) -> Path:
    """The binary of a test, which the cache has after the first time."""
    try:
        return sandbox.build(cpp.testing(test, declaration(declared)), seconds=seconds)
    except sandbox.CompileError as error:
        if error.ended == "unavailable":
            raise
        raise UnusableReferenceError(f"the test does not compile: {error}") from None


def _parts(result: sandbox.Result) -> tuple[bytes, bytes]:
    """The calls and the checks that a test's binary wrote."""
    size, _, rest = result.output.rpartition(_MARK)[2].partition(b" ")
    n = int(size) if size.isdigit() else 0
    return rest[:n], rest[n:]
