"""The turns of a row of somebody else's data set, as its `columns` say."""

from __future__ import annotations

from sourcewise.corpus.reading import Row, pick
from sourcewise.params.queries import Columns
from sourcewise.tables import Message

# ShareGPT's names beside the OpenAI ones.
ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
}


def messages(row: Row, columns: Columns) -> list[Message]:
    """The turns of a row's query: its prompt as one user turn, or its conversation.

    Assistant turns at the end are somebody's response, not part of the query, and are cut. Raises
    ValueError or KeyError that says what is wrong.
    """
    if columns.prompt is not None:
        prompt = _text(pick(row, columns.prompt), columns.prompt)
        if columns.starter_code is not None:
            prompt += _task(pick(row, columns.starter_code), columns.starter_code)
        return [Message("user", prompt)]
    column = str(columns.messages)
    turns = pick(row, column)
    if not isinstance(turns, list):
        raise ValueError(f"column {column!r} is not a list of turns but {type(turns).__name__}")
    # What a cut turn holds is no business of the query: a response may be missing.
    asked = len(turns)
    while asked and role(turns[asked - 1]) == "assistant":
        asked -= 1
    query = [_turn(turn, column) for turn in turns[:asked]]
    if not any(turn.role == "user" for turn in query):
        raise ValueError(f"column {column!r} holds no user turn")
    return query


def _task(starter: object, column: str) -> str:
    """What is asked for, behind a question about a program: code to complete, or a whole script."""
    fenced = "Give all of it in one block that begins with ```python and ends with ```."
    if not starter or not _text(starter, column).strip():
        return f"\n\nWrite a program that reads standard input and writes standard output. {fenced}"
    code = _text(starter, column).strip("\n")
    return f"\n\nComplete this code without changing its names:\n```python\n{code}\n```\n{fenced}"


def role(turn: object) -> str | None:
    """Whose turn it is, in OpenAI's words; None where that is not said."""
    named = turn.get("role", turn.get("from")) if isinstance(turn, dict) else None
    return ROLES.get(named) if isinstance(named, str) else None


def _turn(turn: object, column: str) -> Message:
    if isinstance(turn, dict):
        for who, content in (("role", "content"), ("from", "value")):
            if who in turn and content in turn:
                if role(turn) is None:
                    named = str(turn[who])[:80]
                    raise ValueError(f"role {named!r} in {column!r} is not one of {[*ROLES]}")
                return Message(str(role(turn)), _text(turn[content], column))
    raise ValueError(f"a turn of {column!r} has neither role and content nor from and value")


def _text(value: object, column: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"column {column!r} is not text but {type(value).__name__}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"column {column!r} holds half of a surrogate pair") from None
    return value
