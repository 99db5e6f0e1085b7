"""References as they are published, brought into the JSON that a category's verifier reads."""

from __future__ import annotations

import ast
import builtins
import json
from collections.abc import Callable
from typing import Any


def _answer(value: Any) -> dict[str, Any]:
    if isinstance(value, dict | list):
        raise ValueError(
            f"the reference is {type(value).__name__}: format 'answer' takes one value"
        )
    return {"answer": str(value).strip()}


def _after_hashes(value: Any) -> dict[str, Any]:
    """GSM8K writes `reasoning #### 1,234`."""
    _, hashes, answer = str(value).rpartition("####")
    if not hashes or not answer.strip():
        raise ValueError("the reference has no answer after ####")
    return {"answer": answer.replace(",", "").strip()}


def _ifeval(value: Any) -> dict[str, Any]:
    """The constraints of a prompt; data sets with one schema for all pad kwargs with nulls."""
    given = _parsed(value)
    missing = [key for key in ("instruction_id_list", "kwargs") if not given.get(key)]
    if missing:
        raise ValueError(f"no {missing[0]!r} for format 'ifeval'")
    names, kwargs = given["instruction_id_list"], _parsed(given["kwargs"])
    if len(names) != len(kwargs):
        raise ValueError(f"{len(names)} instructions but {len(kwargs)} kwargs")
    return {
        "instruction_id_list": list(names),
        "kwargs": [{k: v for k, v in (one or {}).items() if v is not None} for one in kwargs],
    }


def _tests(value: Any) -> dict[str, Any]:
    """Tests as they are published: asserts, input and output pairs, or a `check` function."""
    given = _parsed(value)
    if isinstance(given, dict) and "call_type" in given:
        return given
    if isinstance(given, dict) and "functional" in given:
        return _checked(given["functional"])
    if isinstance(given, list) and given and all(isinstance(case, str) for case in given):
        return _asserts(given)
    if isinstance(given, list) and given and all(isinstance(case, dict) for case in given):
        given = {"inputs": [c["input"] for c in given], "outputs": [c["output"] for c in given]}
    if not isinstance(given, dict) or not given.get("inputs") or not given.get("outputs"):
        raise ValueError("the tests are neither asserts nor inputs and outputs")
    if len(given["inputs"]) != len(given["outputs"]):
        raise ValueError(f"{len(given['inputs'])} inputs but {len(given['outputs'])} outputs")
    if given.get("fn_name"):
        pairs = zip(given["inputs"], given["outputs"], strict=True)
        calls = [_call(str(given["fn_name"]), arguments, out) for arguments, out in pairs]
        return _asserts(calls, name=str(given["fn_name"]))
    return {
        "call_type": "std",
        "inputs": [_stdio(text) for text in given["inputs"]],
        "outputs": [_stdio(text) for text in given["outputs"]],
        "language": given.get("language", "python"),
    }


def _asserts(cases: list[str], name: str | None = None) -> dict[str, Any]:
    return {
        "call_type": "assert",
        "fn_name": _function_name(cases[0]) if name is None else name,
        "assert_case": cases,
    }


def _call(name: str, arguments: Any, expected: Any) -> str:
    listed = ", ".join(map(repr, arguments if isinstance(arguments, list) else [arguments]))
    # APPS, TACO and their descendants wrap some expected values in a list and leave others bare.
    if isinstance(expected, list) and len(expected) == 1:
        return f"assert {name}({listed}) in ({expected[0]!r}, {expected!r})"
    return f"assert {name}({listed}) == {expected!r}"


def _stdio(text: Any) -> str:
    return "\n".join(map(str, text)) if isinstance(text, list) else str(text)


def _function_name(case: str) -> str:
    """The function that a test calls: the first that is not Python's own, else the first of all."""
    calls = [node.func for node in ast.walk(_syntax(case)) if isinstance(node, ast.Call)]
    names = [function.id for function in calls if isinstance(function, ast.Name)]
    return next((name for name in names if name not in dir(builtins)), *names[:1] or [""])


def _checked(code: str) -> dict[str, Any]:
    """The asserts of `def check(candidate): …` with what `check(…)` is called with in their place."""
    module = _syntax(code)
    match module.body:
        case [
            ast.FunctionDef(args=ast.arguments(args=[parameter]), body=asserts),
            ast.Expr(value=call),
        ]:
            pass
        case _:
            raise ValueError("the tests are not one function and its call")
    if not isinstance(call, ast.Call) or not call.args:
        raise ValueError("the function of the tests is never called")
    if not all(isinstance(node, ast.Assert) for node in asserts):
        raise ValueError("the function of the tests does more than assert")
    program = _Called(parameter.arg, call.args[0])
    cases = [ast.unparse(program.visit(node)) for node in asserts]
    return _asserts(cases, ast.unparse(call.args[0]).replace("()", ""))


class _Called(ast.NodeTransformer):
    """Puts an expression in the place of a name."""

    def __init__(self, name: str, expression: ast.expr) -> None:
        self._name, self._expression = name, expression

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._expression if node.id == self._name else node


def _syntax(code: str) -> ast.Module:
    try:
        return ast.parse(code)
    except SyntaxError as error:
        raise ValueError(f"a test is not Python: {error}") from None


def _json(value: Any) -> dict[str, Any]:
    given = _parsed(value)
    if not isinstance(given, dict):
        raise ValueError(f"the reference is {type(given).__name__}: format 'json' takes an object")
    return given


def _parsed(value: Any) -> Any:
    """JSON that a data set keeps as a string."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"the reference is not JSON: {error}") from None


# Keyed by `columns.reference_format`.
FORMATS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "answer": _answer,
    "after_hashes": _after_hashes,
    "ifeval": _ifeval,
    "tests": _tests,
    "json": _json,
}
