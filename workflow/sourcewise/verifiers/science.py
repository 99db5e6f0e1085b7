"""Verifier of science answers: letters and numbers by rule, else a judge's rating of similarity.

Reference: `{"answer": "…"}`. Equal answers score 1 by rule; another letter, or a number that no rounding
or unit makes equal, scores 0. The judge compares what is left with the reference from 0 to 5, twice;
ratings at most 0.5 apart agree, and the lower one is divided by 5 (paper §4; the formula is not in the
paper). `facts` says who decided.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from sourcewise.grading import answers, judge
from sourcewise.grading.attempts import Attempt, Judged, Outcome, cut_short, failed, scored, verdict
from sourcewise.grading.rounding import certainly_differ
from sourcewise.params.judge import Judge
from sourcewise.text import final_answer, query_text

VERSION = "2"
TOLERANCE = 0.5
TASK = (
    "Rate how far the student's answer says the same as the reference answer to the question. "
    "5 means equivalent in substance, whatever the wording, the form or the unit; 0 means different "
    "or no answer. A number that differs from the reference by more than rounding is different. "
    "Judge only the final answer. Style and length do not count."
)
# Prose that begins with the article "A" names no choice.
_NAMES_CHOICE = re.compile(r"^\W*(?:[Oo]ption |[Cc]hoice )?\W*[A-J](?:[).:}*]|\W*$)")


def score(attempts: Iterable[Attempt], *, knobs: Judge) -> Iterator[Judged]:
    """One verdict per attempt, in order; `unavailable` where rules cannot tell and there is no judge."""

    def outcome(attempt: Attempt, client: Any) -> Outcome:
        return _judge(attempt, client, knobs)

    for attempt, result in judge.each(attempts, outcome, knobs=knobs):
        yield verdict(attempt, result, verifier="science", version=VERSION)


def problems(references: Iterable[str], *, knobs: Judge) -> Iterator[str | None]:
    """For each reference why no answer could be judged against it, None where it is usable; in order."""
    return (_problem(reference) for reference in references)


def _problem(reference: str) -> str | None:
    answer = answers.read_reference(reference)
    if answer is None:
        return f'{reference[:80]!r} is not {{"answer": "…"}}'
    n, most = len(answer), judge.MAX_CONTEXT_CHARS
    return None if n <= most else f"a reference of {n} characters, more than a judge reads ({most})"


def _judge(attempt: Attempt, client: Any, knobs: Judge) -> Outcome:
    if problem := _problem(attempt.reference):
        return failed("bad_reference", problem)
    if short := cut_short(attempt):
        return short
    answer = final_answer(attempt.text) or ""
    short_answer = answers.boxed(answer) or answer
    if not short_answer.strip():
        return failed("no_answer", "the answer is empty")
    reference = answers.read_reference(attempt.reference) or ""
    # A long answer is an essay, which rules would only read slowly.
    is_short = len(short_answer) <= knobs.max_answer_chars
    equal = _by_rule(reference, short_answer) if is_short else None
    if equal is not None:
        relation = "equal to" if equal else "expected"
        return scored(float(equal), f"{relation} {reference}, got {short_answer}", by="rule")
    question = judge.Question(
        knobs.task or TASK,
        (
            judge.Section("question", query_text(attempt.messages)),
            judge.Section("reference answer", reference),
            judge.Section("student's answer", answer),
        ),
        {"similarity": 5.0},
        tolerance=TOLERANCE,
    )
    return judge.rate(question, client=client, knobs=knobs)


def _by_rule(reference: str, answer: str) -> bool | None:
    """Whether an answer equals the reference; None where it takes knowledge to tell."""
    equal = answers.decide(reference, answer)
    if equal:
        return True
    if answers.is_letter(reference):
        return False if equal is False and _NAMES_CHOICE.match(answer) else None
    return False if certainly_differ(reference, answer) else None
