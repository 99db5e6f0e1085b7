"""Scores the responses that a dataset could select: Response and Verdict rows in, Perplexity rows out."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from sourcewise import pretrained, scoring, tables
from sourcewise.params.distill import Perplexity as Settings
from sourcewise.progress import Progress
from sourcewise.tables import Message, Perplexity, Query, Response, Verdict

# Tokens that go through the model at once. Larger batches were no faster on a CPU.
BATCH_TOKENS = 4096


def run(
    *,
    queries: Path,
    responses: tuple[Path, ...],
    verdicts: tuple[Path, ...],
    perplexity: Settings,
    out: Path,
) -> None:
    """Writes one row for each selectable attempt, ordered by query and attempt.

    `responses` and `verdicts` hold one table a round, in order.
    """
    if len(responses) != len(verdicts):
        raise ValueError(
            f"{len(responses)} tables of responses and {len(verdicts)} of verdicts: give one of each a round"
        )
    asked = {query.query_id: query.messages for query in tables.read(queries, Query)}
    chosen = list(selectable(responses, verdicts))
    for response in chosen:
        if response.query_id not in asked:
            raise ValueError(
                f"{responses[response.attempt - 1]}: {response.query_id} is not in {queries}"
            )
    position = {query_id: place for place, query_id in enumerate(asked)}
    chosen.sort(key=lambda response: (position[response.query_id], response.attempt))
    pairs = [(asked[response.query_id], response.text) for response in chosen]
    scores = score(pairs, perplexity)
    rows = (
        Perplexity(
            query_id=response.query_id,
            attempt=response.attempt,
            scorer=perplexity.model,
            # Seven digits are what float32 can carry.
            perplexity=float(f"{result.perplexity:.7g}"),
            n_tokens=result.n_tokens,
        )
        for response, result in zip(chosen, scores, strict=True)
    )
    tables.write(out, Perplexity, rows)


def selectable(responses: Sequence[Path], verdicts: Sequence[Path]) -> Iterator[Response]:
    """Attempt 1, and every attempt that scores above all before it: what "the first ≥ t" can be for some t."""
    best: dict[str, float] = {}
    for said, judged in zip(responses, verdicts, strict=True):
        scores = {(v.query_id, v.attempt): v.score for v in tables.read(judged, Verdict)}
        for response in tables.read(said, Response):
            key = (response.query_id, response.attempt)
            if key not in scores:
                raise ValueError(
                    f"{judged} has no verdict on attempt {key[1]} at {key[0]}: verify again"
                )
            value = scores[key]
            record = value is not None and value > best.get(response.query_id, -1.0)
            if value is not None and record:
                best[response.query_id] = value
            if record or response.attempt == 1:
                yield response


def score(
    pairs: Sequence[tuple[Sequence[Message], str]], settings: Settings
) -> list[scoring.Score]:
    """The scores in the order of the pairs; says how many texts were too long to be read whole."""
    if not pairs:
        return []
    progress = Progress("perplexity", len(pairs), "responses")
    results: list[scoring.Score] = []
    for result in scoring.perplexities(
        pairs,
        model=pretrained.locate("perplexity.model", settings.model, settings.revision),
        max_tokens=settings.max_tokens,
        batch_tokens=BATCH_TOKENS,
    ):
        results.append(result)
        progress.advance()
    progress.finish()
    cut = sum(result.cut for result in results)
    if cut:
        print(
            f"perplexity: {cut:,} of {len(results):,} texts are longer than perplexity.max_tokens "
            f"{settings.max_tokens:,}; only their beginning is scored",
            file=sys.stderr,
        )
    return sorted(results)
