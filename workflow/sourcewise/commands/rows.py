"""Rows of anybody's JSONL, each an attempt to judge: id, prompt or messages, reference, response."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from sourcewise.corpus import turns
from sourcewise.corpus.references import FORMATS
from sourcewise.grading.attempts import Attempt
from sourcewise.params.queries import Columns

# Longer lines are no rows: a file without line ends must not fill the memory.
MOST_BYTES = 64 << 20
PROMPT, MESSAGES = Columns(prompt="prompt"), Columns(messages="messages")
PUBLISHED = {"code": "tests", "instruction": "ifeval"}


class Row(NamedTuple):
    """A line: the attempt that it holds, or the problem with it; `end` is where the line ends, in bytes.

    `given` has all fields of the line.
    """

    line: int
    end: int
    given: dict[str, Any]
    attempt: Attempt | None
    problem: str = ""


class MalformedError(ValueError):
    """A line that is no row; the message says why."""


def read(path: Path, *, category: str | None, known: Collection[str]) -> Iterator[Row]:
    """The rows of a file in order, one line in memory at a time; empty lines are none.

    `category` is that of all rows; None leaves it to each, and it must be one of `known`.
    """
    with path.open("rb") as file:
        for number, line in enumerate(_lines(file), 1):
            if line is not None and not line.strip():
                continue
            given: dict[str, Any] = {}
            try:
                given = _object(line)
                attempt = _attempt(given, category, known)
            except MalformedError as error:
                yield Row(number, file.tell(), given, None, str(error))
            else:
                yield Row(number, file.tell(), given, attempt)


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """Lines as they are, None for one that is too long."""
    while line := file.readline(MOST_BYTES):
        if len(line) < MOST_BYTES or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(MOST_BYTES)
        yield None


def _object(line: bytes | None) -> dict[str, Any]:
    if line is None:
        raise MalformedError(f"a line of more than {MOST_BYTES >> 20} MiB")
    try:
        # A byte order mark may stand before the first line.
        given = json.loads(line.rstrip(b"\r\n").decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise MalformedError(f"not JSON: {error.msg} at character {error.pos + 1}") from None
    except UnicodeDecodeError as error:
        raise MalformedError(f"not JSON: no UTF-8 at byte {error.start + 1}") from None
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not JSON: {error}") from None
    if not isinstance(given, dict):
        raise MalformedError(f"not a JSON object but {type(given).__name__}")
    return given


def _attempt(given: dict[str, Any], category: str | None, known: Collection[str]) -> Attempt:
    if "id" not in given:
        raise MalformedError("no 'id'")
    category = given.get("category") if category is None else category
    if category is None:
        raise MalformedError("no 'category', and none named by --category")
    if not isinstance(category, str) or category not in known:
        raise MalformedError(f"no verifier for category {category!r}; there are {', '.join(known)}")
    if not isinstance(given.get("response"), str):
        raise MalformedError(f"'response' is {type(given.get('response')).__name__}, not text")
    if "prompt" not in given and "messages" not in given:
        raise MalformedError("neither 'prompt' nor 'messages'")
    try:
        messages = turns.messages(given, PROMPT if "prompt" in given else MESSAGES)
    except ValueError as error:
        raise MalformedError(str(error)) from None
    return Attempt(
        query_id=str(given["id"]),
        attempt=1,
        category=category,
        messages=messages,
        reference=_reference(given.get("reference"), category),
        text=given["response"],
        finish_reason=str(given.get("finish_reason") or "stop"),
    )


def _reference(value: Any, category: str) -> str:
    """The JSON that a category's verifier reads; what cannot become it is for the verifier to refuse."""
    if category == "dialogue":
        return "{}"
    if value is None:
        raise MalformedError("no 'reference'")
    parsed = _parsed(value)
    if category not in PUBLISHED:
        return json.dumps(_answer(value, parsed))
    try:
        return json.dumps(FORMATS[PUBLISHED[category]](parsed))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return value if isinstance(value, str) else json.dumps(value)


def _answer(value: Any, parsed: Any) -> dict[str, Any]:
    """`{"answer": "…"}` as it stands, or made of an answer; numbers are written as text."""
    whole = parsed if isinstance(parsed, dict) else {"answer": value}
    answer = whole.get("answer")
    written = isinstance(answer, int | float | list) and not isinstance(answer, bool)
    return {**whole, "answer": json.dumps(answer)} if written else whole


def _parsed(value: Any) -> Any:
    """JSON that stands in a string, as in many data sets; any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
