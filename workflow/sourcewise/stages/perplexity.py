"""Scores the responses that a dataset could select: Response and Verdict rows in, Perplexity rows out.

What was ever scored is taken from the records beside the teacher's ledger, and only the rest is scored.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sourcewise import pretrained, scored, tables
from sourcewise.asking import weights_of
from sourcewise.params.distill import Scorer, Scorers
from sourcewise.progress import Progress
from sourcewise.scored import Scored
from sourcewise.scoring import pieces
from sourcewise.tables import Message, Perplexity, Query, Response, Verdict

# Tokens that go through the model at once. Larger batches were no faster on a CPU.
BATCH_TOKENS = 4096
# A killed job loses what it scored in this time.
SECONDS_HELD = 0.5
ENGINES = ("transformers", "vllm")


class Asked(NamedTuple):
    """A response with the turns of its query."""

    messages: list[Message]
    response: Response


def run(
    *,
    queries: Path,
    responses: tuple[Path, ...],
    verdicts: tuple[Path, ...],
    perplexity: Scorers,
    ledger: Path,
    out: Path,
) -> None:
    """Writes a row for each selectable attempt and scorer, ordered by query, attempt and scorer.

    `responses` and `verdicts` hold one table a round, in order; `ledger` is the folder of the records.
    """
    if len(responses) != len(verdicts):
        raise ValueError(
            f"{len(responses)} tables of responses and {len(verdicts)} of verdicts: give one of each a round"
        )
    asked = {query.query_id: query.messages for query in tables.read(queries, Query)}
    chosen: list[Asked] = []
    for response in selectable(responses, verdicts):
        if response.query_id not in asked:
            raise ValueError(
                f"{responses[response.attempt - 1]}: {response.query_id} is not in {queries}"
            )
        chosen.append(Asked(asked[response.query_id], response))
    position = {query_id: place for place, query_id in enumerate(asked)}
    chosen.sort(key=lambda one: (position[one.response.query_id], one.response.attempt))
    scorers = perplexity if isinstance(perplexity, tuple) else (perplexity,)
    found = [score(chosen, scorer, ledger=ledger, writer=queries.stem) for scorer in scorers]
    rows = (
        Perplexity(
            query_id=one.response.query_id,
            attempt=one.response.attempt,
            scorer=scorer.model,
            # Seven digits are what float32 can carry.
            perplexity=float(f"{result.perplexity:.7g}"),
            n_tokens=result.n_tokens,
        )
        for one, *results in zip(chosen, *found, strict=True)
        for scorer, result in zip(scorers, results, strict=True)
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


def score(chosen: Sequence[Asked], scorer: Scorer, *, ledger: Path, writer: str) -> list[Scored]:
    """The scores in the order of the responses, each from the records or by the scorer.

    Says how many texts were too long to be read whole.
    """
    if not chosen:
        return []
    model = pretrained.locate("perplexity.model", scorer.model, scorer.revision)
    weights = weights_of(scorer.model, scorer.revision, engine="transformers")
    keys = [
        scored.key(
            weights=weights,
            max_tokens=scorer.max_tokens,
            query_id=one.response.query_id,
            attempt=one.response.attempt,
            text=one.response.text,
        )
        for one in chosen
    ]
    known = scored.known(ledger, keys)
    missing = [number for number, key in enumerate(keys) if key not in known]
    print(
        f"perplexity: {len(missing):,} of {len(keys):,} responses to be scored by {scorer.model}, "
        f"{len(keys) - len(missing):,} were before",
        file=sys.stderr,
    )
    if missing:
        plan = _plan(chosen, set(missing), model, scorer.max_tokens)
        known |= _scored(plan, keys, model, ledger=ledger, writer=writer)
    results = [known[key] for key in keys]
    if cut := sum(result.cut for result in results):
        print(
            f"perplexity: {cut:,} of {len(results):,} texts are longer than perplexity.max_tokens "
            f"{scorer.max_tokens:,}; only their beginning is scored",
            file=sys.stderr,
        )
    return results


def _plan(
    chosen: Sequence[Asked], missing: set[int], model: Path, max_tokens: int
) -> list[list[pieces.Piece]]:
    """The batches to be scored.

    They are made for each round, of all its responses, and what is known is then left out: how the numbers
    are rounded depends on the batch, so a killed job, or one with a further round, goes on to the same bytes.
    """
    tokenizer = pieces.tokenizer_of(model)
    plan: list[list[pieces.Piece]] = []
    for attempt in sorted({chosen[number].response.attempt for number in missing}):
        own = [n for n, one in enumerate(chosen) if one.response.attempt == attempt]
        pairs = [(chosen[n].messages, chosen[n].response.text) for n in own]
        cut = [
            piece._replace(pair=own[piece.pair])
            for piece in pieces.pieces(tokenizer, pairs, max_tokens)
        ]
        for batch in pieces.batches(cut, BATCH_TOKENS):
            plan.append([piece for piece in batch if piece.pair in missing])
    return [batch for batch in plan if batch]


def _scored(
    plan: Sequence[Sequence[pieces.Piece]],
    keys: Sequence[bytes],
    model: Path,
    *,
    ledger: Path,
    writer: str,
) -> dict[bytes, Scored]:
    """Scores the batches, and keeps what is done every `SECONDS_HELD`."""
    name = engine()
    module = importlib.import_module(f"sourcewise.scoring.{name}")
    longest = max(len(piece.tokens) for batch in plan for piece in batch)
    progress = Progress("perplexity", sum(map(len, plan)), "responses")
    found: dict[bytes, Scored] = {}
    held: list[dict[bytes, Scored]] = []
    with scored.Writer(ledger, writer, engine=name) as records:
        kept = time.monotonic()
        for results in module.scores(plan, model, longest):
            held.append({keys[one.pair]: Scored(*one[1:]) for one in results})
            found |= held[-1]
            progress.advance(len(results))
            if time.monotonic() - kept > SECONDS_HELD:
                records.append(held)
                held, kept = [], time.monotonic()
        records.append(held)
    progress.finish()
    return found


def engine() -> str:
    """`$SOURCEWISE_SCORING`, else transformers, whose start is the shorter one."""
    name = os.environ.get("SOURCEWISE_SCORING") or ENGINES[0]
    if name not in ENGINES:
        raise ValueError(f"SOURCEWISE_SCORING is {name!r}: set it to {' or '.join(ENGINES)}")
    return name
