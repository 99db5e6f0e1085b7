"""Rows of benchmarks of programs, brought into the forms of `gradable.code`."""

from __future__ import annotations

import ast
from typing import Any

from sourcewise.corpus.code_references import Called, from_asserts, syntax
from sourcewise.corpus.published import parsed, wanted
from sourcewise.gradable.declaration import declaration
from sourcewise.gradable.unusable import UnusableReferenceError
from sourcewise.grading.asserts import UnsupportedTestError, split


def humaneval(row: Any) -> dict[str, Any]:
    """HumanEval: the asserts of `check`, or all of it to be replayed where it does more than assert."""
    keys = ("prompt", "entry_point", "canonical_solution", "test")
    prompt, name, body, test = map(str, wanted(row, "humaneval", keys))
    prelude = head(prompt, name)
    checks = [node for node in syntax(test).body if isinstance(node, ast.FunctionDef)]
    if len(checks) != 1 or len(checks[0].args.args) != 1:
        raise ValueError("the test of format 'humaneval' is not one function check(candidate)")
    program = Called(checks[0].args.args[0].arg, ast.Name(id=name, ctx=ast.Load()))
    nodes = [node for node in checks[0].body if not _says_nothing(node)]
    cases = [ast.unparse(program.visit(node)) for node in nodes]
    if all(isinstance(node, ast.Assert) for node in nodes) and _splittable(cases, name):
        return {**from_asserts(cases, name), "prelude": prelude}
    return {
        "call_type": "replay",
        "fn_name": name,
        "prelude": prelude,
        "solution": prompt + body,
        "test": test,
    }


def head(prompt: str, name: str) -> str:
    """What a prompt gives before its function: imports and helpers, which an answer may leave out."""
    before, _, _ = prompt.rpartition(f"def {name}(")
    return before.rstrip()


def _says_nothing(node: ast.stmt) -> bool:
    """A constant, a name or an assert of a constant: HumanEval's tests hold all three."""
    value = node.test if isinstance(node, ast.Assert) else getattr(node, "value", None)
    return isinstance(node, ast.Assert | ast.Expr) and isinstance(value, ast.Constant | ast.Name)


def _splittable(cases: list[str], name: str) -> bool:
    try:
        return bool([split(case, name) for case in cases])
    except UnsupportedTestError:
        return False


def humaneval_cpp(row: Any) -> dict[str, Any]:
    """HumanEval-X in C++: a main function with asserts over calls of the declared function."""
    declared, test = map(str, wanted(row, "humaneval_cpp", ("declaration", "test")))
    try:
        declaration(declared)
    except UnusableReferenceError as error:
        raise ValueError(str(error)) from None
    return {"call_type": "replay", "language": "cpp", "prelude": declared, "test": test}


def mbpp(row: Any) -> dict[str, Any]:
    """MBPP: asserts, with imports before the program and objects for the tests after it."""
    [cases] = wanted(row, "mbpp", ("test_list",))
    imports = "\n".join(row.get("test_imports") or [])
    return {
        **from_asserts(parsed(cases)),
        "prelude": imports,
        "setup": row.get("test_setup_code") or "",
    }
