"""Operators and functions for comparisons, whose cost is bounded whatever values a program returns."""

from __future__ import annotations

import ast
import math
import operator
from collections import Counter
from collections.abc import Callable
from typing import Any

MAX_ITEMS = 1_000_000
MAX_HASHED = 10_000  # a program can make all its integers collide, and then the cost is the square

Function = Callable[..., Any]


def _hashing(make: Function) -> Function:
    """`make` of a collection that is small enough to be hashed."""

    def made(*parts: Any) -> Any:
        if any(len(part) > MAX_HASHED for part in parts):
            raise ValueError("too many entries to hash")
        return make(*parts)

    return made


def _sum(values: Any, start: int = 0) -> Any:
    """Numbers only: a sum of lists costs the square of their length."""
    return sum(map(_number, values), start)


def _times(a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, str | list | tuple):
        a, b = b, a
    if isinstance(a, str | list | tuple) and isinstance(b, int):
        if len(a) * b > MAX_ITEMS:
            raise ValueError("a sequence too long to compute with")
        return a * b
    return _number(a) * _number(b)


def _power(a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int) and a.bit_length() * b > MAX_ITEMS:
        raise ValueError("a number too long to compute with")
    return _number(a) ** _number(b)


def _plus(a: Any, b: Any) -> Any:
    return a + b if isinstance(a, str | list | tuple) else _number(a) + _number(b)


def _number(value: Any) -> Any:
    """An operand of arithmetic; a program must not make the comparison compute for hours."""
    if isinstance(value, int) and value.bit_length() > MAX_ITEMS:
        raise ValueError("a number too long to compute with")
    if isinstance(value, str | list | tuple | bytes):
        raise TypeError("arithmetic on sequences is not trusted")
    return value


def _numeric(operate: Function) -> Function:
    return lambda a, b: operate(_number(a), _number(b))


_BUILTINS: tuple[Any, ...] = (
    *(abs, all, any, len, max, min, round, sorted),
    *(bool, float, int, list, str, tuple),
)
FUNCTIONS: dict[str, Function] = {
    **{function.__name__: function for function in _BUILTINS},
    "set": _hashing(set),
    "frozenset": _hashing(set),  # as sets come out of the sandbox
    "dict": _hashing(dict),
    "Counter": _hashing(Counter),
    "sum": _sum,
    "isclose": math.isclose,
    "math.isclose": math.isclose,
    "math.fabs": math.fabs,
    "math.isnan": math.isnan,
    "math.sqrt": math.sqrt,
}
CONSTANTS = {"math.pi": math.pi, "math.e": math.e, "math.inf": math.inf, "math.nan": math.nan}
BINARY: dict[type, Function] = {
    ast.Add: _plus,
    ast.Sub: _numeric(operator.sub),
    ast.Mult: _times,
    ast.Div: _numeric(operator.truediv),
    ast.FloorDiv: _numeric(operator.floordiv),
    ast.Mod: _numeric(operator.mod),
    ast.Pow: _power,
}
ORDER: dict[type, Function] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
UNARY: dict[type, Function] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
