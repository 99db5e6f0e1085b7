"""Documents as rows of a fixed number of tokens, several documents to a row."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sourcewise.synthetic.documents import Document
from sourcewise.synthetic.tokenizer import TURN_CLOSE

IGNORED = -100
OPEN_ROWS = 16


class Encoded(NamedTuple):
    """Token ids of a document and how many of them, from the left, are not learnt."""

    ids: list[int]
    n_given: int


def encode(documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
    """Token ids of all documents; the query is given, the target and its end are learnt."""
    prompts = [
        tokenizer.apply_chat_template(
            [{"role": turn.role, "content": turn.content} for turn in document.messages],
            add_generation_prompt=True,
            tokenize=False,
        )
        if document.messages
        else ""
        for document in documents
    ]
    texts = [document.target + TURN_CLOSE for document in documents]
    given = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    learnt = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return [Encoded(left + right, len(left)) for left, right in zip(given, learnt, strict=True)]


def rows(documents: Sequence[Encoded], row_tokens: int, seed: int) -> Iterator[list[Encoded]]:
    """Yields rows without end, every document once an epoch in a new order; first row that fits takes it.

    Raises ValueError where a document is longer than a row.
    """
    longest = max(len(document.ids) for document in documents)
    if longest > row_tokens:
        raise ValueError(f"a document has {longest} tokens: raise row_tokens (now {row_tokens})")
    rng = random.Random(f"{seed}/order")
    open_rows: list[list[Encoded]] = []
    room: list[int] = []
    while True:
        for document in rng.sample(documents, len(documents)):
            n = len(document.ids)
            place = next((i for i, free in enumerate(room) if free >= n), None)
            if place is None:
                if len(room) == OPEN_ROWS:
                    fullest = room.index(min(room))
                    room.pop(fullest)
                    yield open_rows.pop(fullest)
                open_rows.append([])
                room.append(row_tokens)
                place = len(room) - 1
            open_rows[place].append(document)
            room[place] -= n
