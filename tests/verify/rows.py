"""Attempts as the tests of this folder write them, and the data sets they read."""

import json
from pathlib import Path

import pytest

from sourcewise.grading.attempts import Attempt
from sourcewise.tables import Message

DATA = Path(__file__).resolve().parents[3] / "shared/data"


def attempt(
    category: str, reference: object, text: str, *, finish_reason: str = "stop", question: str = "?"
) -> Attempt:
    """An attempt at a query; a reference that is no string becomes JSON."""
    return Attempt(
        query_id="0" * 32,
        attempt=1,
        category=category,
        messages=[Message("user", question)],
        reference=reference if isinstance(reference, str) else json.dumps(reference),
        text=text,
        finish_reason=finish_reason,
    )


def math_attempt(expected: str, answer: str) -> Attempt:
    """An attempt at a problem of mathematics whose answer stands in the answer tag."""
    return attempt("math", {"answer": expected}, f"<think>…</think><answer>{answer}</answer>")


def jsonl(name: str) -> list[dict]:
    """The rows of a file in ../shared/data; skips the test where it is missing."""
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"needs ../shared/data/{name}")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
