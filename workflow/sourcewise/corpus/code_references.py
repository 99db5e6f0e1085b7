"""Tests of programs as they are published, brought into the forms of `gradable.code`."""

from __future__ import annotations

import ast
import builtins
from typing import Any

from sourcewise.corpus.published import parsed
from sourcewise.gradable import literals


def tests(value: Any) -> dict[str, Any]:
    """Tests as they are published: asserts, input and output pairs, or a `check` function."""
    given = parsed(value)
    if isinstance(given, dict) and "call_type" in given:
        return given
    if isinstance(given, dict) and "functional" in given:
        return _checked(given["functional"])
    if isinstance(given, list) and given and all(isinstance(case, str) for case in given):
        return from_asserts(given)
    if isinstance(given, list) and given and all(isinstance(case, dict) for case in given):
        given = {"inputs": [c["input"] for c in given], "outputs": [c["output"] for c in given]}
    if not isinstance(given, dict) or not given.get("inputs") or not given.get("outputs"):
        raise ValueError("the tests are neither asserts nor inputs and outputs")
    if len(given["inputs"]) != len(given["outputs"]):
        raise ValueError(f"{len(given['inputs'])} inputs but {len(given['outputs'])} outputs")
    if given.get("fn_name"):
        pairs = zip(given["inputs"], given["outputs"], strict=True)
        calls = [_call(str(given["fn_name"]), arguments, out) for arguments, out in pairs]
        return from_asserts(calls, name=str(given["fn_name"]))
    return {
        "call_type": "std",
        "inputs": [_stdio(text) for text in given["inputs"]],
        "outputs": [_stdio(text) for text in given["outputs"]],
        "language": given.get("language", "python"),
    }


def from_asserts(cases: list[str], name: str | None = None) -> dict[str, Any]:
    """The reference of asserts over calls of one function, by default the one that the first calls."""
    return {
        "call_type": "assert",
        "fn_name": _function_name(cases[0]) if name is None else name,
        "assert_case": cases,
    }


def _call(name: str, arguments: Any, expected: Any) -> str:
    given = literals.call(name, arguments if isinstance(arguments, list) else [arguments])
    # APPS, TACO and their descendants wrap some expected values in a list and leave others bare.
    if isinstance(expected, list) and len(expected) == 1:
        return f"assert {given} in ({literals.literal(expected[0])}, {literals.literal(expected)})"
    return equals(given, expected)


def equals(call: str, expected: Any) -> str:
    """An assert of a value out of JSON, which has no tuples: a list is also met by a tuple."""
    if isinstance(expected, list):
        either = literals.literal((expected, tuple(expected)))
        return f"assert {call} in {either}"
    return f"assert {call} == {literals.literal(expected)}"


def _stdio(text: Any) -> str:
    return "\n".join(map(str, text)) if isinstance(text, list) else str(text)


def _function_name(case: str) -> str:
    """The function that a test calls: the first that is not Python's own, else the first of all."""
    calls = [node.func for node in ast.walk(syntax(case)) if isinstance(node, ast.Call)]
    names = [function.id for function in calls if isinstance(function, ast.Name)]
    return next((name for name in names if name not in dir(builtins)), *names[:1] or [""])


def _checked(code: str) -> dict[str, Any]:
    """The asserts of `def check(candidate): …` with what `check(…)` is called with in their place."""
    module = syntax(code)
    match module.body:
        case [
            ast.FunctionDef(args=ast.arguments(args=[parameter]), body=body),
            ast.Expr(value=call),
        ]:
            pass
        case _:
            raise ValueError("the tests are not one function and its call")
    if not isinstance(call, ast.Call) or not call.args:
        raise ValueError("the function of the tests is never called")
    if not all(isinstance(node, ast.Assert) for node in body):
        raise ValueError("the function of the tests does more than assert")
    program = Called(parameter.arg, call.args[0])
    cases = [ast.unparse(program.visit(node)) for node in body]
    return from_asserts(cases, ast.unparse(call.args[0]).replace("()", ""))


class Called(ast.NodeTransformer):
    """Puts an expression in the place of a name."""

    def __init__(self, name: str, expression: ast.expr) -> None:
        self._name, self._expression = name, expression

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._expression if node.id == self._name else node


def syntax(code: str) -> ast.Module:
    """The syntax tree of a test; raises ValueError."""
    try:
        return ast.parse(code)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"a test is not Python: {error}") from None
