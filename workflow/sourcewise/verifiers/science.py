"""Verifier of science answers: equal letters and numbers by rule, else a judge's rating of similarity.

Reference: `{"answer": "…"}`. The judge compares the final answer with the reference from 0 to 5, divided
by 5 (paper §4; the formula is not in the paper).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sourcewise.grading import answers, judge
from sourcewise.grading.attempts import Attempt, Outcome, cut_short, failed, scored, verdict
from sourcewise.params.distill import Judge
from sourcewise.tables import Verdict
from sourcewise.text import final_answer, query_text

VERSION = "1"
TASK = (
    "Rate how far the student's answer says the same as the reference answer to the question. "
    "5 means equivalent in substance, whatever the wording, the form or the unit; 0 means different "
    "or no answer. Judge only the final answer. Style and length do not count."
)


def score(attempts: Iterable[Attempt], *, knobs: Judge) -> Iterator[Verdict]:
    """One verdict per attempt, in order; `unavailable` where rules cannot tell and there is no judge."""

    def outcome(attempt: Attempt, client: Any) -> Outcome:
        return _judge(attempt, client, knobs)

    for attempt, result in judge.each(attempts, outcome, knobs=knobs):
        yield verdict(attempt, result, verifier="science", version=VERSION)


def _judge(attempt: Attempt, client: Any, knobs: Judge) -> Outcome:
    reference = answers.read_reference(attempt.reference)
    if reference is None:
        return failed("bad_reference", f'{attempt.reference[:80]!r} is not {{"answer": "…"}}')
    if short := cut_short(attempt):
        return short
    answer = final_answer(attempt.text) or ""
    short_answer = answers.boxed(answer) or answer
    if not short_answer.strip():
        return failed("no_answer", "the answer is empty")
    # Letters are decided either way; of the rest the rules only see that two answers are the same.
    equal = answers.decide(reference, short_answer)
    if equal or (equal is False and answers.is_letter(reference)):
        relation = "equal to" if equal else "expected"
        return scored(float(equal), f"{relation} {reference}, got {short_answer}")
    question = judge.Question(
        TASK,
        (
            judge.Section("question", query_text(attempt.messages)),
            judge.Section("reference answer", reference),
            judge.Section("student's answer", answer),
        ),
        {"similarity": 5.0},
        tolerance=0.5,
    )
    return judge.rate(question, client=client, knobs=knobs)
