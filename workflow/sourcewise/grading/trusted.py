"""Evaluates what stands outside of a program's calls: literals, operators, a small set of functions.

The expression is the reference's, the values in it are the program's: plain, and chosen by whoever wants
the comparison to take for ever. So sizes are bounded before anything is computed.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from typing import Any

from sourcewise.grading.bounded import BINARY, CONSTANTS, FUNCTIONS, ORDER, UNARY

RELATIVE = 1e-6  # two floats that agree to this are equal, as EvalPlus has it

_NODES = (
    *(ast.Constant, ast.Attribute, ast.Name, ast.List, ast.Tuple, ast.Set, ast.Dict),
    *(ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare, ast.Subscript, ast.Slice, ast.Call),
    *(ast.keyword, ast.expr_context, ast.boolop, ast.cmpop, *BINARY, *UNARY),
)
_VALUE = re.compile(r"value[0-9]+")
ERRORS = (ArithmeticError, LookupError, TypeError, ValueError, RecursionError, MemoryError)


def problem(condition: ast.expr) -> str | None:
    """Why no value could meet a condition, None where one may: it is checked before any program runs."""
    nodes = list(ast.walk(condition))
    called = {
        id(part) for node in nodes if isinstance(node, ast.Call) for part in ast.walk(node.func)
    }
    for node in nodes:
        if not isinstance(node, _NODES):
            return f"{type(node).__name__} is not supported in a condition"
        if isinstance(node, ast.Name | ast.Attribute) and id(node) not in called:
            shown = ast.unparse(node)
            if not _VALUE.fullmatch(shown) and shown not in CONSTANTS and shown != "math":
                return f"{shown!r} is a function, and no value"
        if isinstance(node, ast.Compare):
            for side in (node.left, *node.comparators):
                if not any(isinstance(part, ast.Name) for part in ast.walk(side)):
                    try:
                        evaluate(side, {})
                    except ERRORS as error:
                        return f"{ast.unparse(side)[:80]} has no value ({type(error).__name__})"
    return None


def evaluate(node: ast.expr, values: Mapping[int, Any]) -> Any:
    """The value of an expression made of literals, sent values, operators and trusted functions."""

    def over(part: ast.expr) -> Any:
        return evaluate(part, values)

    match node:
        case ast.Constant(value=value):
            return value
        case ast.Attribute():
            return CONSTANTS[ast.unparse(node)]
        case ast.Name(id=name):
            return values[int(name.removeprefix("value"))]
        case ast.List(elts=parts):
            return [over(part) for part in parts]
        case ast.Tuple(elts=parts):
            return tuple(over(part) for part in parts)
        case ast.Set(elts=parts):
            return {over(part) for part in parts}
        case ast.Dict(keys=keys, values=parts):
            return {over(key): over(part) for key, part in zip(keys, parts, strict=True) if key}
        case ast.UnaryOp(op=op, operand=part) if type(op) in UNARY:
            return UNARY[type(op)](over(part))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return BINARY[type(op)](over(left), over(right))
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(over(part) for part in parts)
        case ast.BoolOp(values=parts):
            return any(over(part) for part in parts)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [over(left), *map(over, comparators)]
            return all(_holds(op, a, b) for op, a, b in zip(ops, sides, sides[1:], strict=False))
        case ast.Subscript(value=part, slice=index):
            return over(part)[over(index)]
        case ast.Slice(lower=lower, upper=upper, step=step):
            return slice(*(part and over(part) for part in (lower, upper, step)))
        case ast.Call(func=function, args=args, keywords=keywords):
            named = {keyword.arg: over(keyword.value) for keyword in keywords if keyword.arg}
            return FUNCTIONS[ast.unparse(function)](*map(over, args), **named)
    raise ValueError(f"{ast.dump(node)[:80]} is not trusted")


def _holds(op: ast.cmpop, a: Any, b: Any) -> bool:
    match op:
        case ast.Eq():
            return equal(a, b)
        case ast.NotEq():
            return not equal(a, b)
        case ast.Is():
            # Values were sent, so that Python's own small numbers and short texts are other objects here.
            return a is b or (type(a) is type(b) and isinstance(a, int | str) and a == b)
        case ast.IsNot():
            return not _holds(ast.Is(), a, b)
        case ast.In() if isinstance(b, list | tuple):
            return any(equal(a, part) for part in b)
        case ast.In():
            return a in b
        case ast.NotIn():
            return not _holds(ast.In(), a, b)
    return bool(ORDER[type(op)](a, b))


def equal(a: Any, b: Any) -> bool:
    """Python's ==, floats within RELATIVE and NaN equal to NaN, also inside of containers."""
    if isinstance(a, float) or isinstance(b, float):
        if not (isinstance(a, int | float) and isinstance(b, int | float)):
            return bool(a == b)
        both_nan = a != a and b != b
        return both_nan or math.isclose(a, b, rel_tol=RELATIVE)
    if type(a) is type(b) and isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    return bool(a == b)
