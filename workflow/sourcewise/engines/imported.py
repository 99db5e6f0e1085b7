"""Responses that somebody else released, read from files and joined to queries by content.

The k-th row of a query, in the order of the files, is its attempt k. Without the model's tokenizer
tokens cannot be counted: the counts are those of words between white space.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from sourcewise.corpus.reading import Row, RowError, pick, rows
from sourcewise.engines.contract import Batch, Completion, Request
from sourcewise.params.distill import Import
from sourcewise.tables import Message
from sourcewise.text import query_id

BATCH = 256


def version() -> str:
    """What the ledger records as the engine."""
    return "imported"


def complete(requests: Sequence[Request], *, source: Import) -> Iterator[Batch]:
    """Yields the requests that the files have a row for; the others have no answer.

    Raises RowError, with file and line, for a row without a text in one of the columns.
    """
    wanted = {(request.query_id, request.attempt): request for request in requests}
    seen: Counter[str] = Counter()
    batch: Batch = []
    for prompt, response in _pairs(source):
        identity = query_id([Message("user", prompt)])
        seen[identity] += 1
        request = wanted.get((identity, seen[identity]))
        if request is None or request.attempt > source.attempts:
            continue
        n_tokens, n_prompt_tokens = len(response.split()), len(prompt.split())
        batch.append((request, Completion(response, "unknown", n_tokens, n_prompt_tokens)))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _pairs(source: Import) -> Iterator[tuple[str, str]]:
    for name in source.files:
        for place, row in rows(Path(name)):
            at = f"{name}:{place}"
            yield _text(row, source.prompt, at), _text(row, source.response, at)


def _text(row: Row, column: str, at: str) -> str:
    try:
        value = pick(row, column)
    except KeyError as error:
        raise RowError(f"{at}: {error.args[0]}: correct the import's columns") from None
    if not isinstance(value, str):
        raise RowError(f"{at}: column {column!r} is not text but {type(value).__name__}")
    return value
