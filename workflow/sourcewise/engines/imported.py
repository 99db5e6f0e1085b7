"""Responses that somebody else released, read from files or a hub and joined to queries by content.

Without the model's tokenizer tokens cannot be counted: the counts are those of words between white space.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sourcewise.corpus.released import released
from sourcewise.engines.contract import Batch, Completion, Request
from sourcewise.params.distill import Import

BATCH = 256
# How a row without a response ended: it is an attempt, which no verifier accepts and no dataset takes.
NO_RESPONSE = "no_response"


def version() -> str:
    """What the ledger records as the engine."""
    return "imported"


def complete(requests: Sequence[Request], *, source: Import) -> Iterator[Batch]:
    """Yields the requests that the release has a row for; the others have no answer.

    Raises RowError, with file and line, for a row that cannot be used.
    """
    wanted = {(request.query_id, request.attempt): request for request in requests}
    batch: Batch = []
    for row in released(source):
        request = wanted.get((row.query_id, row.attempt))
        if request is None or request.attempt > source.attempts:
            continue
        text = row.response or ""
        reason = "unknown" if row.response is not None else NO_RESPONSE
        n_prompt_tokens = sum(len(turn.content.split()) for turn in row.messages)
        batch.append((request, Completion(text, reason, len(text.split()), n_prompt_tokens)))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
