"""When a value meets the one that a reference solution gave (EvalPlus's oracles, without its exceptions).

EvalPlus lets any value pass at Mbpp/164 and 0 at Mbpp/295, because their questions can be read in two ways;
here they are judged like the others.
"""

from __future__ import annotations

import ast
import math
from typing import Any

from sourcewise.gradable.code import Reference
from sourcewise.grading import bounded, trusted

ABSOLUTE = 1e-6  # the least tolerance of a float, as EvalPlus has it


def meets(reference: Reference, call: str, expected: Any, given: Any) -> bool:
    """Whether `given` answers `call`; an error in the comparison is a failure."""
    try:
        if reference.oracle == "root":
            return _is_root(call, given, reference.atol)
        if reference.oracle == "truth":
            return _truth(given) is _truth(expected)
        if reference.oracle == "set":
            return bool(_set(given) == _set(expected))
        return trusted.equal(expected, given) or _near(expected, given, reference.atol)
    except trusted.ERRORS:
        return False


def _truth(value: Any) -> bool:
    """A match object is true, None is false."""
    return value if isinstance(value, bool) else value is not None


def _set(value: Any) -> Any:
    return bounded.FUNCTIONS["set"](value)


def _near(expected: Any, given: Any, atol: float) -> bool:
    if isinstance(expected, float) and isinstance(given, int | float):
        tolerance = max(atol, ABSOLUTE)
        return math.isclose(expected, given, rel_tol=trusted.RELATIVE, abs_tol=tolerance)
    if isinstance(expected, list | tuple) and type(expected) is type(given):
        pairs = zip(expected, given, strict=True)
        return all(trusted.equal(a, b) or _near(a, b, atol) for a, b in pairs)
    return False


def _is_root(call: str, given: Any, atol: float) -> bool:
    """Whether the polynomial with the call's coefficients, the constant first, is nearly 0 at `given`."""
    node = ast.parse(call, mode="eval").body
    if not (isinstance(node, ast.Call) and isinstance(given, int | float)):
        return False
    coefficients = ast.literal_eval(node.args[0])
    return abs(sum(c * float(given) ** power for power, c in enumerate(coefficients))) <= atol
