"""Runs a program on its tests, in the sandbox, and compares outside of it: the score is the pass rate."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sourcewise.gradable.code import Reference
from sourcewise.gradable.unusable import UnusableReferenceError
from sourcewise.grading import sandbox, trusted
from sourcewise.grading.asserts import Check
from sourcewise.grading.attempts import Outcome, failed, scored
from sourcewise.grading.programs.oracles import meets

KILLED = ("timeout", "memory")
# Of the values of a reference solution: the longest that counts, and all of them (185 MiB in HumanEval+).
LONGEST, SOLUTION_BYTES = 1 << 20, 512 << 20
PATIENCE = 10  # a solution also says the long ones, in so many times a program's seconds
_FUTURE = re.compile(r"^from __future__ import .*$", re.MULTILINE)
_FLOAT = re.compile(r"-?[0-9]{1,300}\.[0-9]{1,300}")
_NUMBER = re.compile(r"-?[0-9]{1,300}(?:\.[0-9]{1,300})?")
# LeetCode's editor has these names, and its starting code uses them.
_LEETCODE = ("typing", "collections", "functools", "itertools", "heapq", "bisect", "math", "string")
LEETCODE = "".join(f"from {module} import *\nimport {module}\n" for module in _LEETCODE)


def assembled(program: str, reference: Reference) -> str:
    """A Python program with what its question gave before it and what the tests need after it."""
    leetcode = LEETCODE if re.search(r"^class Solution\b", program, re.MULTILINE) else ""
    future = "\n".join(_FUTURE.findall(program))  # nothing may stand before it
    rest = _FUTURE.sub("", program)
    parts = (future, leetcode, reference.prelude, rest, reference.setup)
    return "\n".join(part for part in parts if part)


def assertions(
    program: str, checks: Sequence[Check], reference: Reference, limits: sandbox.Limits
) -> Outcome:
    """The outcome of asserts whose calls the program evaluates."""
    calls = [call for check in checks for call in check.calls]
    result, values = sandbox.evaluate(assembled(program, reference), calls, limits=limits)
    passed, problem, at = 0, "", 0
    for check in checks:
        answers = values[at : at + len(check.calls)]
        at += len(check.calls)
        if len(answers) < len(check.calls):
            problem = problem or f"{_show(check.calls[len(answers)])}: {ended(result)}"
        elif error := next((value.error for value in answers if value.error), None):
            problem = problem or f"{_show(check.calls[0])}: {error}"
        elif check.passes([value.value for value in answers]):
            passed += 1
        else:
            gave = _shown(answers[0].value)
            problem = problem or f"{_show(check.calls[0])} gave {gave}, wanted {check.wanted()}"
    return outcome(passed, len(checks), problem, result)


def solved(
    program: str, calls: Sequence[str], reference: Reference, limits: sandbox.Limits
) -> Outcome:
    """The outcome of calls whose expected values are those of the reference's solution."""
    wanted = expected(reference.solution, tuple(calls), limits)
    room = limits._replace(output_bytes=limits.output_bytes + 2 * wanted.n_bytes)
    calls = wanted.calls
    result, values = sandbox.evaluate(assembled(program, reference), calls, limits=room)
    passed, problem = 0, ""
    for call, value, right in itertools.zip_longest(calls, values, wanted.values):
        if value is None:
            problem = problem or f"{_show(call)}: {ended(result)}"
        elif value.error:
            problem = problem or f"{_show(call)}: {value.error}"
        elif meets(reference, call, right, value.value):
            passed += 1
        else:
            gave = f"gave {_shown(value.value)}, wanted {_shown(right)}"
            problem = problem or f"{_show(call)} {gave}"
    return outcome(passed, len(calls), problem, result)


class Expected(NamedTuple):
    """Calls with the values of a reference solution, and how many bytes it took to say these.

    `calls` lack those whose value is longer than LONGEST, which is for tests of speed: lists of a million
    numbers, which no program could send within its limits.
    """

    calls: tuple[str, ...]
    values: tuple[object, ...]
    n_bytes: int


@functools.lru_cache(maxsize=64)
def expected(solution: str, calls: tuple[str, ...], limits: sandbox.Limits) -> Expected:
    """What a reference solution gives; raises UnusableReferenceError where it does not give every value."""
    room = limits._replace(seconds=PATIENCE * limits.seconds, output_bytes=SOLUTION_BYTES)
    result, values = sandbox.evaluate(solution, calls, limits=room, longest=LONGEST)
    errors = (value.error != sandbox.TOO_LONG and value.error for value in values)
    error = next((f"{_show(c)}: {e}" for c, e in zip(calls, errors, strict=False) if e), "")
    if error or len(values) < len(calls):
        raise UnusableReferenceError(f"the solution fails: {error or ended(result)}")
    kept = [(c, v.value) for c, v in zip(calls, values, strict=True) if v.error is None]
    if not kept:
        raise UnusableReferenceError("the solution gives no value that is short enough")
    lengths = (len(line) for line in result.output.splitlines())
    n_bytes = sum(n for n in lengths if n <= LONGEST)
    return Expected(tuple(c for c, _ in kept), tuple(v for _, v in kept), n_bytes)


def scripts(
    run: Callable[[str, sandbox.Limits], sandbox.Result],
    tests: Sequence[tuple[str, str]],
    limits: sandbox.Limits,
) -> Outcome:
    """The outcome of a program that reads an input and writes an output; no test follows a kill."""
    passed, problem, first = 0, "", sandbox.Result("exit", 0, b"", "")
    for n, (stdin, wanted) in enumerate(tests, 1):
        room = limits.output_bytes + 2 * len(wanted)
        result = run(stdin, limits._replace(output_bytes=room))
        output = result.output.decode("utf-8", "replace")
        if result.ended != "exit" or result.code != 0:
            first = result if first.ended == "exit" else first
            problem = problem or f"input {_shown(stdin)}: {ended(result)}"
            if result.ended in KILLED and n < len(tests):
                problem += f", the other {len(tests) - n} not run"
                break
        elif same_output(wanted, output):
            passed += 1
        else:
            shown = f"expected {_shown(wanted)}, got {_shown(output)}"
            problem = problem or f"input {_shown(stdin)}: {shown}"
    return outcome(passed, len(tests), problem, first)


def outcome(passed: int, n: int, problem: str, result: sandbox.Result) -> Outcome:
    """The pass rate, or the status of what ended the program before any test passed."""
    if not passed and result.ended in (*KILLED, "crash"):
        return failed(result.ended, problem)
    detail = f"{passed} of {n} tests passed" + (f"; {problem}" if problem else "")
    return scored(passed / n, detail, passed=passed, tests=n)


def same_output(expected: str, output: str) -> bool:
    """Equal tokens line by line, floats within the tolerance of `trusted`; empty lines at the end are free."""
    wanted, given = (
        [line.split() for line in text.rstrip().splitlines()] for text in (expected, output)
    )
    if wanted == given:
        return True
    if [len(line) for line in wanted] != [len(line) for line in given]:
        return False
    tokens = zip(itertools.chain(*wanted), itertools.chain(*given), strict=True)
    return all(a == b or _same_decimal(a, b) for a, b in tokens)


def _same_decimal(wanted: str, given: str) -> bool:
    """Whether a float is met; what is expected without a point must be equal as a string."""
    if not (_FLOAT.fullmatch(wanted) and _NUMBER.fullmatch(given)):
        return False
    return trusted.equal(float(wanted), float(given))


def ended(result: sandbox.Result) -> str:
    """How a run ended, with the last line of its errors."""
    lines = result.errors.strip().splitlines()
    named = {"exit": f"exit code {result.code}", "output": "too much output"}
    how = named.get(result.ended, result.ended)
    return f"{how} ({lines[-1][:150]})" if lines else how


def _show(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"


def _shown(value: object) -> str:
    """A value in a message; one that cannot be printed in short is named by its type."""
    try:
        return _show(repr(value))
    except (ValueError, RecursionError):
        return f"a very large {type(value).__name__}"
