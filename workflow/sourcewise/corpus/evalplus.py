"""EvalPlus's tests (HumanEval+, MBPP+): inputs, and a solution that says what is expected of each."""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from sourcewise.corpus.benchmark_references import head
from sourcewise.corpus.code_references import syntax
from sourcewise.corpus.published import wanted
from sourcewise.gradable import literals

# Tasks of MBPP+ that ask for the members of a sequence and say nothing about their order.
AS_SETS = {
    *("similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly"),
    *("larg_nnum", "intersection_array", "find_dissimilar", "Diff"),
}


class Shape(NamedTuple):
    """What JSON does not tell of a value: the container that a list was, and the types of plain values."""

    kind: type | None
    inside: Shape | None
    plain: frozenset[type]


def evalplus(row: Any) -> dict[str, Any]:
    """A row of HumanEval+ or MBPP+; base inputs come first."""
    keys = ("prompt", "entry_point", "canonical_solution", "base_input", "plus_input")
    prompt, name, body, base, plus = wanted(row, "evalplus", keys)
    inputs = [*base, *(plus or [])]
    if assertion := row.get("assertion"):
        inputs = _shaped(inputs, _asserted(assertion, name))
    return {
        "call_type": "solve",
        "fn_name": name,
        "prelude": head(prompt, name) if f"def {name}(" in prompt else "",
        "calls": [literals.call(name, arguments) for arguments in inputs],
        "solution": f"{prompt}{body}",
        "oracle": _oracle(name, row.get("assertion") or ""),
        "atol": float(row.get("atol") or 0),
    }


def _oracle(name: str, assertion: str) -> str:
    if name == "find_zero":
        return "root"
    if name in AS_SETS:
        return "set"
    truths = re.findall(rf"^assert (?:not )?{re.escape(name)}\(.*\)$", assertion, re.MULTILINE)
    lines = re.findall(r"^assert .*$", assertion, re.MULTILINE)
    return "truth" if truths and len(truths) == len(lines) and "==" not in assertion else "equal"


def _asserted(assertion: str, name: str) -> list[list[Any]]:
    """The arguments of the function's calls in asserts, as Python values."""
    found = []
    for node in ast.walk(syntax(assertion)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == name:
            try:
                found.append([ast.literal_eval(argument) for argument in node.args])
            except ValueError:
                continue
    return found


def _shaped(inputs: list[list[Any]], examples: list[list[Any]]) -> list[list[Any]]:
    """Inputs with tuples, sets and complex numbers where the asserts have them."""
    columns = [_merged(map(_shape, column)) for column in zip(*examples, strict=False)]
    return [
        [_formed(value, shape) for value, shape in zip(arguments, columns, strict=True)]
        if len(arguments) == len(columns)
        else arguments
        for arguments in inputs
    ]


def _shape(value: Any) -> Shape:
    if isinstance(value, list | tuple | set | dict):
        entries = value.values() if isinstance(value, dict) else value
        return Shape(type(value), _merged(map(_shape, entries)), frozenset())
    return Shape(None, None, frozenset([type(value)]))


def _merged(shapes: Iterable[Shape]) -> Shape | None:
    """One shape for all; the first container decides."""
    merged: Shape | None = None
    for shape in shapes:
        merged = merged or shape
        inside = _merged(part for part in (merged.inside, shape.inside) if part)
        merged = Shape(merged.kind or shape.kind, inside, merged.plain | shape.plain)
    return merged


def _formed(value: Any, shape: Shape | None) -> Any:
    if shape is None:
        return value
    if isinstance(value, list):
        kind = shape.kind if shape.kind in (tuple, set) else list
        # What is nested deeper than in the asserts is of the same kind.
        deeper = shape if shape.inside is None or shape.inside.kind is None else shape.inside
        return kind(
            _formed(entry, deeper if isinstance(entry, list) else shape.inside) for entry in value
        )
    if isinstance(value, dict):
        return {key: _formed(entry, shape.inside) for key, entry in value.items()}
    if isinstance(value, str) and shape.plain and str not in shape.plain:
        with contextlib.suppress(ValueError):
            return complex(value)
    return value
