"""Tests as assert statements, split: calls of the program go into the sandbox, the rest stays outside.

Of `assert abs(f(2) - 3) < 1e-6` the program sees `f(2)`; 3, the subtraction and the comparison are
evaluated here, over plain values and with a small set of functions. So a program can neither read
what is expected nor take part in the comparison.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any, NamedTuple

from sourcewise.grading import bounded, trusted


class UnsupportedTestError(ValueError):
    """A test that cannot be split; its reference is not usable."""


class Check(NamedTuple):
    """One test: what the program evaluates, and the condition over the values it returns."""

    calls: tuple[str, ...]
    condition: ast.expr

    def passes(self, values: Sequence[Any]) -> bool:
        """Whether the condition holds for the values of `calls`; an error in it is a failure."""
        try:
            return bool(trusted.evaluate(self.condition, dict(enumerate(values))))
        except trusted.ERRORS:
            return False

    def wanted(self) -> str:
        """The test with its calls left out, for a message."""
        return ast.unparse(self.condition)


def split(statement: str, name: str) -> Check:
    """Splits `assert CONDITION` over calls of the function or method `name`.

    Raises UnsupportedTestError where the condition needs more than the program's values and the
    trusted functions: what the program computes must not be taken for what is expected of it.
    """
    shown = repr(statement[:120])
    try:
        [node] = ast.parse(statement.strip()).body
        if not isinstance(node, ast.Assert):
            raise UnsupportedTestError(f"not an assert: {shown}")
        calls: list[str] = []
        condition = _Splitter(calls, name).visit(node.test)
        problem = trusted.problem(condition) if calls else f"it never calls {name}"
    except UnsupportedTestError:
        raise
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnsupportedTestError(f"not one statement: {shown} ({type(error).__name__})") from None
    if problem:
        raise UnsupportedTestError(f"{shown}: {problem}")
    return Check(tuple(calls), condition)


class _Splitter(ast.NodeTransformer):
    """Puts the name of a value in the place of every call of the program's function."""

    def __init__(self, calls: list[str], name: str) -> None:
        self._calls, self._name = calls, name
        self._trusted = (bounded.FUNCTIONS.keys() | bounded.CONSTANTS.keys()) - {name}

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
