"""Tests as assert statements, split: calls of the program go into the sandbox, the rest stays outside.

Of `assert abs(f(2) - 3) < 1e-6` the program sees `f(2)`; 3, the subtraction and the comparison are
evaluated here, over plain values and with a small set of functions. So a program can neither read
what is expected nor take part in the comparison.
"""

from __future__ import annotations

import ast
import math
import operator
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

RELATIVE = 1e-6  # two floats that agree to this are equal, as EvalPlus has it
MAX_ITEMS = 1_000_000

_BUILTINS: tuple[Any, ...] = (
    *(abs, all, any, len, max, min, round, sorted, sum),
    *(bool, dict, float, int, list, set, str, tuple),
)
_TRUSTED: dict[str, Callable[..., Any]] = {
    **{function.__name__: function for function in _BUILTINS},
    "frozenset": set,  # as sets come out of the sandbox
    "Counter": Counter,
    "isclose": math.isclose,
    "math.isclose": math.isclose,
    "math.isnan": math.isnan,
    "math.sqrt": math.sqrt,
}
_CONSTANTS = {"math.pi": math.pi, "math.e": math.e, "math.inf": math.inf, "math.nan": math.nan}
_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_ORDER: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_UNARY: dict[type, Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}


class UnsupportedTestError(ValueError):
    """A test that cannot be split; its reference is not usable."""


class Check(NamedTuple):
    """One test: what the program evaluates, and the condition over the values it returns."""

    calls: tuple[str, ...]
    condition: ast.expr

    def passes(self, values: Sequence[Any]) -> bool:
        """Whether the condition holds for the values of `calls`; an error in it is a failure."""
        try:
            return bool(_evaluate(self.condition, dict(enumerate(values))))
        except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError):
            return False

    def wanted(self) -> str:
        """The test with its calls left out, for a message."""
        return ast.unparse(self.condition)


def split(statement: str, name: str) -> Check:
    """Splits `assert CONDITION` over calls of the function or method `name`.

    Raises UnsupportedTestError where the condition needs more than the program's values and the
    trusted functions: what the program computes must not be taken for what is expected of it.
    """
    try:
        [node] = ast.parse(statement.strip()).body
    except (SyntaxError, ValueError, RecursionError) as error:
        kind = type(error).__name__
        raise UnsupportedTestError(f"not one statement: {statement[:120]!r} ({kind})") from None
    if not isinstance(node, ast.Assert):
        raise UnsupportedTestError(f"not an assert: {statement[:120]!r}")
    calls: list[str] = []
    condition = _Splitter(calls, name).visit(node.test)
    if not calls:
        raise UnsupportedTestError(f"{statement[:120]!r} never calls {name}")
    return Check(tuple(calls), condition)


class _Splitter(ast.NodeTransformer):
    """Puts the name of a value in the place of every call of the program's function."""

    def __init__(self, calls: list[str], name: str) -> None:
        self._calls, self._name = calls, name
        self._trusted = (_TRUSTED.keys() | _CONSTANTS.keys()) - {name}

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if self._name in (getattr(node.func, "id", None), getattr(node.func, "attr", None)):
            self._calls.append(ast.unparse(node))
            return ast.Name(id=f"value{len(self._calls) - 1}", ctx=ast.Load())
        self.visit(node.func)
        node.args = [self.visit(part) for part in node.args]
        for keyword in node.keywords:
            keyword.value = self.visit(keyword.value)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return self._checked(node)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._checked(node)

    def _checked(self, node: ast.expr) -> ast.expr:
        if ast.unparse(node) not in self._trusted:
            raise UnsupportedTestError(
                f"{ast.unparse(node)[:120]!r} is neither {self._name} nor trusted"
            )
        return node

    def visit_GeneratorExp(self, node: ast.expr) -> ast.expr:
        raise UnsupportedTestError(f"{ast.unparse(node)[:120]!r} binds names of its own")

    visit_ListComp = visit_SetComp = visit_GeneratorExp  # noqa: N815
    visit_DictComp = visit_Lambda = visit_GeneratorExp  # noqa: N815


def _evaluate(node: ast.expr, values: Mapping[int, Any]) -> Any:
    """The value of an expression made of literals, sent values, operators and trusted functions."""

    def over(part: ast.expr) -> Any:
        return _evaluate(part, values)

    match node:
        case ast.Constant(value=value):
            return value
        case ast.Attribute():
            return _CONSTANTS[ast.unparse(node)]
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
        case ast.UnaryOp(op=op, operand=part) if type(op) in _UNARY:
            return _UNARY[type(op)](over(part))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](*map(_small, (over(left), over(right))))
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(over(part) for part in parts)
        case ast.BoolOp(values=parts):
            return any(over(part) for part in parts)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [over(left), *map(over, comparators)]
            return all(_holds(op, a, b) for op, a, b in zip(ops, sides, sides[1:], strict=False))
        case ast.Subscript(value=part, slice=index):
            return over(part)[over(index)]
        case ast.Call(func=function, args=args, keywords=keywords):
            named = {keyword.arg: over(keyword.value) for keyword in keywords if keyword.arg}
            return _TRUSTED[ast.unparse(function)](*map(over, args), **named)
    raise ValueError(f"{ast.dump(node)[:80]} is not trusted")


def _small(value: Any) -> Any:
    """Operands of arithmetic; a program must not make the comparison compute for hours."""
    if isinstance(value, int) and value.bit_length() > MAX_ITEMS:
        raise ValueError("a number too long to compute with")
    if isinstance(value, str | list | tuple | bytes):
        raise TypeError("arithmetic on sequences is not trusted")
    return value


def _holds(op: ast.cmpop, a: Any, b: Any) -> bool:
    match op:
        case ast.Eq():
            return equal(a, b)
        case ast.NotEq():
            return not equal(a, b)
        case ast.Is():
            return a is b or (type(a) is type(b) and a in (True, False))
        case ast.IsNot():
            return not _holds(ast.Is(), a, b)
        case ast.In() if isinstance(b, list | tuple):
            return any(equal(a, part) for part in b)
        case ast.In():
            return a in b
        case ast.NotIn():
            return not _holds(ast.In(), a, b)
    return bool(_ORDER[type(op)](a, b))


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
