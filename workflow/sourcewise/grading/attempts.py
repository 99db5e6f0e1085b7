"""What every verifier takes and gives: `score(attempts, *, knobs)` yields verdicts in the same order."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, NamedTuple

from sourcewise.tables import Message, Verdict
from sourcewise.text import final_answer

MAX_DETAIL = 300


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """A response with what is needed to judge it; only the category's verifier reads `reference`."""

    query_id: str
    attempt: int
    category: str
    messages: list[Message]
    reference: str
    text: str
    finish_reason: str


class Outcome(NamedTuple):
    """A judgement before it has a name and a version; `score` is given when `status` is scored.

    `seconds` is what the judging of this attempt took, by the clock; `facts` is what else was found, as
    JSON takes it, and depends on nothing but the attempt.
    """

    status: str
    score: float | None
    detail: str
    seconds: float = 0.0
    facts: dict[str, Any] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Judged(Verdict):
    """A verdict and the seconds it took: no column of the table, so that equal verdicts are equal files."""

    seconds: float = 0.0


def scored(score: float, detail: str, **facts: Any) -> Outcome:
    """The outcome of an attempt that could be judged."""
    return Outcome("scored", score, detail, facts=facts or None)


def failed(status: str, detail: str) -> Outcome:
    """The outcome of an attempt that could not be judged, for the reason that `status` names."""
    return Outcome(status, None, detail)


def cut_short(attempt: Attempt) -> Outcome | None:
    """The outcome of a response that was cut off or never begun, else None: half an answer never passes."""
    if attempt.finish_reason == "prompt_too_long":
        return failed("prompt_too_long", "the prompt does not fit into the model's context")
    if attempt.finish_reason == "length":
        return failed("truncated", "cut at max_tokens")
    if not attempt.text.strip():
        return failed("no_response", "the response is empty")
    if final_answer(attempt.text) is None:
        return failed("truncated", "the reasoning was never closed")
    return None


def verdict(attempt: Attempt, outcome: Outcome, *, verifier: str, version: str) -> Judged:
    """The verdict that an outcome is; a long detail is cut."""
    detail = outcome.detail
    if len(detail) > MAX_DETAIL:
        detail = detail[: MAX_DETAIL - 1] + "…"
    # Arrow strings are UTF-8, and a model's text may hold lone surrogates.
    detail = detail.encode("utf-8", "replace").decode("utf-8")
    return Judged(
        query_id=attempt.query_id,
        attempt=attempt.attempt,
        status=outcome.status,
        score=outcome.score,
        detail=detail,
        verifier=verifier,
        verifier_version=version,
        facts=json.dumps(outcome.facts, sort_keys=True) if outcome.facts else "",
        seconds=outcome.seconds,
    )
