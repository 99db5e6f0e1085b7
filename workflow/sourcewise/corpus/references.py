"""References as they are published, brought into the JSON that a category's verifier reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sourcewise.corpus import benchmark_references, code_references, evalplus, livecodebench
from sourcewise.corpus.published import parsed


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
    given = parsed(value)
    if not isinstance(given, dict):
        raise ValueError(
            f"the reference is {type(given).__name__}: format 'ifeval' takes an object"
        )
    missing = [key for key in ("instruction_id_list", "kwargs") if not given.get(key)]
    if missing:
        raise ValueError(f"no {missing[0]!r} for format 'ifeval'")
    names, kwargs = given["instruction_id_list"], parsed(given["kwargs"])
    if not isinstance(names, list) or not isinstance(kwargs, list):
        raise ValueError(
            "'instruction_id_list' and 'kwargs' are not lists: format 'ifeval' takes two"
        )
    if len(names) != len(kwargs):
        raise ValueError(f"{len(names)} instructions but {len(kwargs)} kwargs")
    return {
        "instruction_id_list": list(names),
        "kwargs": [_arguments(one) for one in kwargs],
    }


def _arguments(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict | None):
        raise ValueError(
            f"'kwargs' holds {given!r}: format 'ifeval' takes an object per instruction"
        )
    return {name: value for name, value in (given or {}).items() if value is not None}


def _json(value: Any) -> dict[str, Any]:
    given = parsed(value)
    if not isinstance(given, dict):
        raise ValueError(f"the reference is {type(given).__name__}: format 'json' takes an object")
    return given


# Keyed by `columns.reference_format`.
FORMATS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "answer": _answer,
    "after_hashes": _after_hashes,
    "ifeval": _ifeval,
    "tests": code_references.tests,
    "humaneval": benchmark_references.humaneval,
    "humaneval_cpp": benchmark_references.humaneval_cpp,
    "mbpp": benchmark_references.mbpp,
    "evalplus": evalplus.evalplus,
    "livecodebench": livecodebench.livecodebench,
    "json": _json,
}
