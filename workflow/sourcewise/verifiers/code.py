"""Verifier of programs: the first tests of the reference, run in the sandbox; the score is the pass rate.

References: `{"call_type": "assert", "fn_name": "f", "assert_case": ["assert f(1) == 2", …]}` and
`{"call_type": "std", "inputs": ["1\\n", …], "outputs": ["2\\n", …], "language": "python"}` (paper §4).
What is expected never enters the sandbox. A run that was ended before any test passed has the status of what
ended it (timeout, memory, crash); a wrong value or an exception is a failed test.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from sourcewise.gradable import code as gradable
from sourcewise.gradable.unusable import UnusableReferenceError
from sourcewise.grading import asserts, sandbox
from sourcewise.grading.attempts import Attempt, Outcome, cut_short, failed, scored, verdict
from sourcewise.grading.killable import default_workers
from sourcewise.params.distill import CodeVerifier
from sourcewise.tables import Verdict
from sourcewise.text import final_answer

VERSION = "1"
AHEAD = 64
_FENCE = re.compile(r"^[ \t]*```[ \t]*([\w+-]*)[^\n]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)
_FLOAT = re.compile(r"-?[0-9]{1,300}\.[0-9]{1,300}")
_NUMBER = re.compile(r"-?[0-9]{1,300}(?:\.[0-9]{1,300})?")
_PYTHON = ("python", "python3", "py", "")
# LeetCode's editor has these names, and its starting code uses them.
LEETCODE = "".join(
    f"from {module} import *\nimport {module}\n"
    for module in (
        "typing",
        "collections",
        "functools",
        "itertools",
        "heapq",
        "bisect",
        "math",
        "string",
    )
)


def score(attempts: Iterable[Attempt], *, knobs: CodeVerifier) -> Iterator[Verdict]:
    """One verdict per attempt, in order; raises SandboxUnavailableError where there is no sandbox."""
    sandbox.probe()
    stream = iter(attempts)
    with ThreadPoolExecutor(default_workers()) as threads:
        while batch := list(itertools.islice(stream, AHEAD)):
            outcomes = threads.map(partial(_judge, knobs=knobs), batch)
            for attempt, outcome in zip(batch, outcomes, strict=True):
                yield verdict(attempt, outcome, verifier="code", version=VERSION)


def problems(references: Iterable[str], *, knobs: CodeVerifier) -> Iterator[str | None]:
    """For each reference why no program could be judged against it, None where it is usable; in order."""
    yield from gradable.problems(references)


def _judge(attempt: Attempt, *, knobs: CodeVerifier) -> Outcome:
    try:
        reference = gradable.read(attempt.reference)
        checks = gradable.checks(reference)
    except UnusableReferenceError as error:
        return failed("bad_reference", str(error))
    if reference.language != "python":
        return failed("unavailable", f"no runner for {reference.language!r}, only for 'python'")
    if short := cut_short(attempt):
        return short
    program = extract(final_answer(attempt.text) or "", reference.fn_name)
    if program is None:
        return failed(
            "no_answer", "no program: neither a fenced block nor an answer that is Python"
        )
    limits = sandbox.Limits(knobs.seconds, knobs.memory_mb)
    if checks:
        return _assertions(program, checks[: knobs.max_tests], limits)
    tests = list(zip(reference.inputs, reference.outputs, strict=True))
    return _scripts(program, tests[: knobs.max_tests], limits)


def extract(answer: str, name: str) -> str | None:
    """The program of an answer: the last fenced block, of those that define `name` if any do; or all of it."""
    blocks = [code for language, code in _FENCE.findall(answer) if language.lower() in _PYTHON]
    if blocks:
        last = name.rpartition(".")[2]
        defining = [
            code for code in blocks if last and re.search(rf"\bdef\s+{re.escape(last)}\b", code)
        ]
        return (defining or blocks)[-1]
    try:
        return answer if ast.parse(answer).body else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _assertions(program: str, checks: list[asserts.Check], limits: sandbox.Limits) -> Outcome:
    if re.search(r"^class Solution\b", program, re.MULTILINE) and "__future__" not in program:
        program = LEETCODE + program
    calls = [call for check in checks for call in check.calls]
    result, values = sandbox.evaluate(program, calls, limits=limits)
    passed, problem, at = 0, "", 0
    for check in checks:
        answers = values[at : at + len(check.calls)]
        at += len(check.calls)
        if len(answers) < len(check.calls):
            problem = problem or f"{check.calls[len(answers)]}: {_ended(result)}"
        elif error := next((value.error for value in answers if value.error), None):
            problem = problem or f"{check.calls[0]}: {error}"
        elif check.passes([value.value for value in answers]):
            passed += 1
        else:
            gave = _show(answers[0].value)
            problem = problem or f"{check.calls[0]} gave {gave}, wanted {check.wanted()}"
    return _outcome(passed, len(checks), problem, result)


def _scripts(program: str, tests: list[tuple[str, str]], limits: sandbox.Limits) -> Outcome:
    passed, problem, ended = 0, "", sandbox.Result("exit", 0, b"", "")
    for stdin, expected in tests:
        result = sandbox.run_script(program, stdin, limits=limits)
        output = result.output.decode("utf-8", "replace")
        if result.ended != "exit" or result.code != 0:
            ended = result if ended.ended == "exit" else ended
            problem = problem or f"input {_show(stdin)}: {_ended(result)}"
        elif same_output(expected, output):
            passed += 1
        else:
            shown = f"expected {_show(expected)}, got {_show(output)}"
            problem = problem or f"input {_show(stdin)}: {shown}"
    return _outcome(passed, len(tests), problem, ended)


def _outcome(passed: int, n: int, problem: str, result: sandbox.Result) -> Outcome:
    if not passed and result.ended in ("timeout", "memory", "crash"):
        return failed(result.ended, problem)
    return scored(passed / n, f"{passed} of {n} tests passed" + (f"; {problem}" if problem else ""))


def same_output(expected: str, output: str) -> bool:
    """Equal tokens line by line, floats within the tolerance of `asserts`; empty lines at the end are free."""
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
    return asserts.equal(float(wanted), float(given))


def _ended(result: sandbox.Result) -> str:
    lines = result.errors.strip().splitlines()
    named = {"exit": f"exit code {result.code}", "output": "too much output"}
    ended = named.get(result.ended, result.ended)
    return f"{ended} ({lines[-1][:150]})" if lines else ended


def _show(value: object) -> str:
    """A value in a message; one that cannot be printed in short is named by its type."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return f"a very large {type(value).__name__}"
    return text if len(text) <= 80 else text[:79] + "…"
