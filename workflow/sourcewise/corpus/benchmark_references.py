"""Rows of benchmarks of programs, brought into the forms of `gradable.code`."""

from __future__ import annotations

import ast
import base64
import io
import json
import pickle
import zlib
from typing import Any

from sourcewise.corpus.code_references import Called, equals, from_asserts, syntax, tests
from sourcewise.corpus.published import parsed, wanted
from sourcewise.gradable import literals
from sourcewise.gradable.declaration import declaration
from sourcewise.gradable.unusable import UnusableReferenceError
from sourcewise.grading.asserts import UnsupportedTestError, split

MAX_TEST_BYTES = 64 << 20


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


def livecodebench(row: Any) -> dict[str, Any]:
    """LiveCodeBench: public tests, then the private ones; of a function (`metadata` names it) or a script."""
    [public] = wanted(row, "livecodebench", ("public_test_cases",))
    cases = [*(parsed(public) or []), *_private(row.get("private_test_cases"))]
    if not cases or any(case["testtype"] != "functional" for case in cases):
        return tests(cases)
    name = (parsed(row.get("metadata") or "{}") or {}).get("func_name")
    if not name:
        raise ValueError("functional tests of format 'livecodebench' without a func_name")
    method = "Solution()." if "class Solution" in (row.get("starter_code") or "") else ""
    asserts = []
    for case in cases:
        arguments = [json.loads(line) for line in str(case["input"]).splitlines() if line.strip()]
        call = literals.call(method + name, arguments)
        asserts.append(equals(call, parsed(case["output"])))
    return from_asserts(asserts, method.replace("()", "") + name)


def _private(value: Any) -> list[dict[str, Any]]:
    """Private tests: a list, JSON of one, or base64 of zlib of a pickled JSON string."""
    if not value or isinstance(value, list):
        return value or []
    if str(value).lstrip().startswith("["):
        return parsed(value)
    unpacked = zlib.decompressobj()
    try:
        content = unpacked.decompress(base64.b64decode(value), MAX_TEST_BYTES)
        text = _OnlyPlain(io.BytesIO(content)).load()
    except (ValueError, zlib.error, pickle.UnpicklingError, EOFError, IndexError) as error:
        raise ValueError(f"the private tests cannot be unpacked: {error}") from None
    return parsed(text)


class _OnlyPlain(pickle.Unpickler):
    """Loads strings and containers; a pickle that names a class or function is refused."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        raise pickle.UnpicklingError(f"it names {module_name}.{global_name}")
