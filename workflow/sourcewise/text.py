"""Text as every stage sees it: one normalisation, one identity of a query, one way to cut a response."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import NamedTuple

from sourcewise.tables import Message

THINK_OPEN, THINK_CLOSE = "<think>", "</think>"
ANSWER_OPEN, ANSWER_CLOSE = "<answer>", "</answer>"


def normalise(text: str) -> str:
    """Unicode NFC with runs of white space folded into one blank; case is kept."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def query_id(messages: list[Message]) -> str:
    """The identity of a query: 32 hex digits over its normalised turns, whatever its source or position."""
    digest = hashlib.sha256()
    for turn in messages:
        digest.update(f"{turn.role}\x1f{normalise(turn.content)}\x1e".encode())
    return digest.hexdigest()[:32]


def shard_ids(number: int, n_shards: int) -> tuple[str, str]:
    """The identities of a shard, as a half-open range of their text.

    A query's shard is a range of its digest, so that it depends on nothing but the query and n.
    """
    first, end = (-(-(part << 32) // n_shards) for part in (number, number + 1))
    # No digit comes after "f".
    return f"{first:08x}", f"{end:08x}" if end < 1 << 32 else "g"


def query_text(messages: list[Message]) -> str:
    """All user turns as one text, which is what cleaning and decontamination compare."""
    return "\n".join(turn.content for turn in messages if turn.role == "user")


class Parts(NamedTuple):
    """A response cut in two; `closed` is false where reasoning began and never ended."""

    reasoning: str
    answer: str
    closed: bool


def split_reasoning(text: str) -> Parts:
    """Cuts a response after its last `</think>`; without any tag all of it is the answer.

    Reasoning that is opened again after that was never closed.
    """
    before, close, after = text.rpartition(THINK_CLOSE)
    if close and THINK_OPEN not in after:
        return Parts(
            before.partition(THINK_OPEN)[2] if THINK_OPEN in before else before, after, True
        )
    if THINK_OPEN in text:
        return Parts(text.partition(THINK_OPEN)[2], "", False)
    return Parts("", text, True)


def final_answer(text: str) -> str | None:
    """What a response answers: inside the last `<answer>` after its reasoning, else all that follows it.

    None where the reasoning was never closed.
    """
    parts = split_reasoning(text)
    if not parts.closed:
        return None
    _, opened, rest = parts.answer.rpartition(ANSWER_OPEN)
    return (rest.partition(ANSWER_CLOSE)[0] if opened else parts.answer).strip()


# Scripts without blanks between words: each character is a unit.
UNSPACED = "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# A row of dashes or dots is one unit: what it is made of says nothing.
_ROWS = "|".join(rf"\{sign}{{3,}}" for sign in "-=*~#.")
_UNIT = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+|{_ROWS}|[^\w\s]")


def units(text: str) -> list[str]:
    """Words and single signs in order, which n-grams and exact comparison count; blanks are nothing."""
    return _UNIT.findall(text)
