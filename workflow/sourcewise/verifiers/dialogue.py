"""Verifier of dialogue and general chat: a judge rates coherence, correctness and helpfulness.

There is no reference. Each rating goes from 0 to 4; the score is their sum divided by 12, as the paper
computes it from a reward model (paper §4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sourcewise.grading import judge
from sourcewise.grading.attempts import Attempt, Outcome, cut_short, failed, verdict
from sourcewise.params.distill import Judge
from sourcewise.tables import Verdict
from sourcewise.text import final_answer

VERSION = "1"
TASK = (
    "Rate the assistant's last reply in a conversation. coherence: it is clear, consistent and free "
    "of repetition. correctness: what it says is true and complete. helpfulness: it does what the "
    "user asked for. 0 is the worst value, 4 the best."
)
SCALES = {"coherence": 4.0, "correctness": 4.0, "helpfulness": 4.0}


def score(attempts: Iterable[Attempt], *, knobs: Judge) -> Iterator[Verdict]:
    """One verdict per attempt, in order; `unavailable` without a judge."""

    def outcome(attempt: Attempt, client: Any) -> Outcome:
        return _judge(attempt, client, knobs)

    for attempt, result in judge.each(attempts, outcome, knobs=knobs):
        yield verdict(attempt, result, verifier="dialogue", version=VERSION)


def _judge(attempt: Attempt, client: Any, knobs: Judge) -> Outcome:
    if short := cut_short(attempt):
        return short
    answer = final_answer(attempt.text) or ""
    if not answer:
        return failed("no_answer", "the answer is empty")
    conversation = "\n\n".join(f"{turn.role}: {turn.content}" for turn in attempt.messages)
    sections = (judge.Section("conversation", conversation), judge.Section("reply", answer))
    question = judge.Question(TASK, sections, SCALES, tolerance=1.0)
    return judge.rate(question, client=client, knobs=knobs)
