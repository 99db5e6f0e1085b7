"""Filter structure: demands a conversation that alternates and a response of the agreed form (paper §5)."""

from __future__ import annotations

from collections.abc import Sequence

from sourcewise.drop import Drop
from sourcewise.loops import loop
from sourcewise.params.datasets import StructureFilter
from sourcewise.recipes.candidates import Candidate, Candidates, Check
from sourcewise.tables import Message, Query
from sourcewise.text import ANSWER_CLOSE, ANSWER_OPEN, THINK_CLOSE, THINK_OPEN


def prepare(spec: StructureFilter, candidates: Candidates, items: Sequence[Query]) -> Check:
    """Checks turns, tags, length and, where `max_repeats` is given, loops."""

    def check(candidate: Candidate) -> Drop | None:
        text = candidate.response.text
        if candidate.response.n_tokens > spec.max_tokens:
            return Drop("too_long", str(candidate.response.n_tokens))
        if found := turns(candidate.query.messages) or form(
            text, require_reasoning=spec.require_reasoning
        ):
            return found
        phrase = loop(text, spec.max_repeats) if spec.max_repeats is not None else None
        return Drop("loop", phrase) if phrase else None

    return check


def turns(messages: list[Message]) -> Drop | None:
    """Why the query's turns, with the assistant's answer after them, are no proper conversation.

    After an optional system turn, user and assistant alternate, the user begins and ends; with the
    answer the number of turns is then even.
    """
    roles = [turn.role for turn in messages]
    asked = roles[1:] if roles[:1] == ["system"] else roles
    expected = ["user" if index % 2 == 0 else "assistant" for index in range(len(asked))]
    if asked != expected or len(asked) % 2 == 0:
        return Drop("turns", " ".join(roles)[:200])
    return None


def form(text: str, *, require_reasoning: bool) -> Drop | None:
    """Why a response is not one `<think>…</think>`, one `<answer>…</answer>` and nothing else.

    Without `require_reasoning` the reasoning may be empty or missing.
    """
    for tag in (THINK_OPEN, THINK_CLOSE, ANSWER_OPEN, ANSWER_CLOSE):
        n = text.count(tag)
        optional = tag in (THINK_OPEN, THINK_CLOSE) and not require_reasoning
        if n > 1 or (n == 0 and not optional):
            return Drop("missing_tag" if n == 0 else "repeated_tag", f"{n} x {tag}")
    before, _, answered = text.partition(ANSWER_OPEN)
    answer, closed, after = answered.partition(ANSWER_CLOSE)
    prefix, opened, rest = before.partition(THINK_OPEN)
    reasoning, ended, between = rest.partition(THINK_CLOSE)
    if not closed or bool(opened) != bool(ended) or THINK_CLOSE in prefix + answered:
        return Drop("tag_order", text[:100])
    outside = (prefix + between + after).strip()
    if outside:
        return Drop("text_outside", outside[:100])
    if require_reasoning and not reasoning.strip():
        return Drop("empty_reasoning", "")
    return None if answer.strip() else Drop("empty_answer", "")
