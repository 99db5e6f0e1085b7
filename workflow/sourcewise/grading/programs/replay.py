"""Tests that cannot be split: they run in a sandbox that never holds the program.

Recording, once a reference: the test runs with the reference's own solution, and its calls are noted down.
Answering: the program evaluates those calls in a sandbox of its own. Replaying: the test runs again and is
given the program's values. So the program sees what it is called with and nothing else. Chance is seeded:
both runs of a test make the same calls.
"""

from __future__ import annotations

import ast
import functools
from typing import NamedTuple

from sourcewise.gradable.code import Reference
from sourcewise.gradable.literals import call, literal
from sourcewise.gradable.unusable import UnusableReferenceError
from sourcewise.grading import sandbox
from sourcewise.grading.attempts import Outcome
from sourcewise.grading.programs.testing import assembled, ended, outcome

_HARNESS = """
import copy as _copy
import random
_calls, _checks, _given = [], [], {given}
def _check(met):
    _checks.append(bool(met))
def _candidate(*arguments, **named):
    _calls.append((_copy.deepcopy(arguments), _copy.deepcopy(named)))
    if _given is None:
        return {name}(*arguments, **named)
    return _given.pop(0)[0]
def _played():
    random.seed(0)
    try:
        check(_candidate)
    except Exception as error:
        return _calls, _checks, type(error).__name__
    return _calls, _checks, ""
"""


class Recording(NamedTuple):
    """The calls that a test makes, as source, and how many things it checks."""

    calls: tuple[str, ...]
    n_checks: int


def replayed(program: str, reference: Reference, max_tests: int, limits: sandbox.Limits) -> Outcome:
    """The outcome of a program by what the test says to its values."""
    recording = record(reference, limits)
    n = min(recording.n_checks, max_tests)
    source = assembled(program, reference)
    result, values = sandbox.evaluate(source, recording.calls, limits=limits)
    harness = _harness(reference, f"[{', '.join(map(_given, values))}]")
    played, [*replay] = sandbox.evaluate(harness, ["_played()"], limits=limits)
    _, checks, error = (replay and replay[0].value) or ((), (), ended(played))
    passed = sum(met is True for met in checks[:n])
    first = next((v.error for v in values if v.error), None)
    if len(values) < len(recording.calls):
        first = first or f"{recording.calls[len(values)][:80]}: {ended(result)}"
    problem = "" if passed == n else first or error or "a check of the test is not met"
    return outcome(passed, n, problem, result)


def _given(value: sandbox.Value) -> str:
    """A value in a tuple of its own, or an empty one, which stands for an exception."""
    try:
        return literal(() if value.error else (value.value,))
    except RecursionError:
        return "()"


@functools.lru_cache(maxsize=64)
def _recorded(reference_json: str, limits: sandbox.Limits) -> Recording:
    reference = Reference.model_validate_json(reference_json)
    result, values = sandbox.evaluate(_harness(reference, "None"), ["_played()"], limits=limits)
    if not values or values[0].error:
        raise UnusableReferenceError(
            f"the test fails: {values[0].error if values else ended(result)}"
        )
    calls, checks, error = values[0].value
    if error or not checks or not all(checks):
        raise UnusableReferenceError(f"the solution fails its own test: {error or checks[:10]}")
    sources = [call(reference.fn_name, arguments, named) for arguments, named in calls]
    return Recording(tuple(sources), len(checks))


def record(reference: Reference, limits: sandbox.Limits) -> Recording:
    """What a test asks; raises UnusableReferenceError where the reference's own solution fails it."""
    return _recorded(reference.model_dump_json(), limits)


def _harness(reference: Reference, given: str) -> str:
    try:
        test = _Counted().visit(ast.parse(reference.test))
        source = ast.unparse(ast.fix_missing_locations(test))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnusableReferenceError(f"the test is not Python ({type(error).__name__})") from None
    harness = _HARNESS.format(given=given, name=reference.fn_name)
    return "\n".join((reference.prelude, reference.solution, source, harness))


class _Counted(ast.NodeTransformer):
    """Puts a call of `_check` in the place of every assert, but for those that always hold."""

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        if isinstance(node.test, ast.Constant):
            return ast.Pass()
        checked = ast.Call(
            func=ast.Name(id="_check", ctx=ast.Load()), args=[node.test], keywords=[]
        )
        return ast.Expr(value=checked)
