"""Responses that somebody else released, each with its query and what was published about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sourcewise.corpus import hub, turns
from sourcewise.corpus.reading import Row, RowError, pick, rows
from sourcewise.params.distill import Import
from sourcewise.params.queries import Columns
from sourcewise.tables import Message
from sourcewise.text import ANSWER_CLOSE, ANSWER_OPEN, THINK_CLOSE, THINK_OPEN, query_id


class Released(NamedTuple):
    """A response; the k-th of a query, in the order of the files, is its attempt k.

    `response` is None where the row has none; `published` is somebody else's verdict or score, None
    where the row has none.
    """

    place: str
    query_id: str
    attempt: int
    messages: list[Message]
    response: str | None
    published: bool | float | None


def released(source: Import) -> Iterator[Released]:
    """Every response of a release, one row in memory at a time.

    Raises RowError, with file and line, for a row without a query, and ValueError where no row has the
    column with the published verdict.
    """
    seen: Counter[str] = Counter()
    where = Columns(prompt=source.prompt, messages=source.messages)
    judged, missing = 0, ""
    for place, row in _rows(source):
        try:
            messages = turns.messages(row, where)
            response = _response(row, source)
            published, problem = _published(row, source)
        except (KeyError, ValueError) as error:
            raise RowError(f"{place}: {error.args[0]}: correct the import's columns") from None
        judged += published is not None
        missing = missing or (f"{place}: {problem}" if problem else "")
        identity = query_id(messages)
        seen[identity] += 1
        yield Released(place, identity, seen[identity], messages, response, published)
    if missing and not judged:
        raise ValueError(f"{missing}, nor has any other row: correct the key 'published'")


def _rows(source: Import) -> Iterator[tuple[str, Row]]:
    if source.hub is not None:
        yield from hub.rows(source.hub)
        return
    for file in source.files or ():
        for place, row in rows(Path(file)):
            yield f"{file}:{place}", row


def _response(row: Row, source: Import) -> str | None:
    if source.messages is None:
        value = pick(row, str(source.response))
        column = str(source.response)
    else:
        column = source.messages
        last = pick(row, column)[-1]
        if turns.role(last) != "assistant":
            return None
        value = _said(last)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"column {column!r} is not text but {type(value).__name__}")
    return value


def _said(turn: dict[str, Any]) -> Any:
    """The text of a turn, with the reasoning and the answer that stand beside it where it lacks the tags.

    The keys are those of OpenAI-compatible servers and of the releases of a-m-team.
    """
    value, info = turn.get("content", turn.get("value")), turn.get("info")
    if isinstance(value, str) and (THINK_OPEN in value or THINK_CLOSE in value):
        return value
    thought = turn.get("reasoning_content")
    if isinstance(info, dict) and info.get("think_content") and info.get("answer_content"):
        thought = info["think_content"]
        value = f"{ANSWER_OPEN}{info['answer_content']}{ANSWER_CLOSE}"
    return f"{THINK_OPEN}{thought}{THINK_CLOSE}{value}" if thought and value else value


def _published(row: Row, source: Import) -> tuple[bool | float | None, str]:
    """The published verdict, and why there is none."""
    if source.published is None:
        return None, ""
    try:
        value = pick(row, source.published)
    except KeyError as error:
        return None, str(error.args[0])
    if value is None or isinstance(value, bool):
        return value, ""
    # Zero and one are scores too: a verdict of true would ask for our full score beside a published 1.0.
    if isinstance(value, int | float) and 0 <= value <= 1:
        return float(value), ""
    raise ValueError(
        f"column {source.published!r} holds {value!r}, but a published verdict is true or false, or a "
        "score from 0 to 1: correct the key 'published'"
    )
