"""Verifier of mathematics: rules that are exact, then math-verify in workers that can be killed.

Reference: `{"answer": "42"}`. Score 1 for an equal answer, else 0 (paper §4). math-verify sees the
extracted answer only, never the response, and only where it cannot be misled (`grading.terms`). A judge,
if one is configured, is asked for what both leave undecided: never for what they have decided, never
with the reasoning. `facts` says who decided: "rule", "algebra" or "judge".
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sourcewise.gradable import math as gradable
from sourcewise.grading import answers, judge
from sourcewise.grading.attempts import Attempt, Outcome, cut_short, failed, scored, verdict
from sourcewise.grading.killable import Pool, Reply
from sourcewise.grading.shapes import Pair
from sourcewise.grading.terms import apart, terms
from sourcewise.params.distill import MathVerifier
from sourcewise.params.judge import Judge
from sourcewise.tables import Verdict
from sourcewise.text import query_text

VERSION = "2"
BATCH = 512
MAX_MEMO = 20_000  # pairs, each at most twice `max_answer_chars` long
TASK = (
    "Say whether the student's answer to the question is equivalent to the reference answer. 1 means that "
    "it says exactly the same, in whatever form, wording or unit; 0 means that it differs, says more than "
    "one thing, or says nothing. Judge only the final answer."
)

Memo = dict[Pair, Reply[str]]


class Case(NamedTuple):
    """An attempt with an answer that rules leave open; `pair` is what algebra may compare, if anything."""

    attempt: Attempt
    reference: str
    answer: str
    pair: Pair | None
    seconds: float


def score(attempts: Iterable[Attempt], *, knobs: MathVerifier) -> Iterator[Verdict]:
    """One verdict per attempt, in order; no worker is started while rules decide."""
    memo: Memo = {}
    stream = iter(attempts)
    with _pool(knobs) as pool:
        while batch := list(itertools.islice(stream, BATCH)):
            if len(memo) > MAX_MEMO:
                memo.clear()
            for attempt, outcome in zip(batch, _outcomes(batch, pool, memo, knobs), strict=True):
                yield verdict(attempt, outcome, verifier="math", version=VERSION)


def _outcomes(
    batch: list[Attempt], pool: Pool[Pair, str], memo: Memo, knobs: MathVerifier
) -> Iterator[Outcome]:
    """By rules, then by algebra, then by a judge: each for what those before it leave open."""
    found = [_by_rules(attempt, knobs) for attempt in batch]
    pairs = [one.pair for one in found if isinstance(one, Case) and one.pair]
    unseen = list(dict.fromkeys(pair for pair in pairs if pair not in memo))
    memo |= dict(zip(unseen, pool.map(unseen), strict=True))
    found = [_by_algebra(one, memo, knobs) if isinstance(one, Case) else one for one in found]
    undecided = [one for one in found if isinstance(one, Case)]
    judged = _by_judge(undecided, knobs.judge) if undecided and knobs.judge else iter(())
    for one in found:
        yield next(judged) if isinstance(one, Case) else one


def problems(references: Iterable[str], *, knobs: MathVerifier) -> Iterator[str | None]:
    """For each reference why no answer could be judged against it, None where it is usable; in order."""
    with _pool(knobs) as pool:
        judged = knobs.judge is not None
        yield from gradable.problems(
            references, pool=pool, max_chars=knobs.max_answer_chars, judged=judged
        )


def _pool(knobs: MathVerifier) -> Pool[Pair, str]:
    return gradable.pool(seconds=knobs.seconds, memory_mb=knobs.memory_mb)


def _by_rules(attempt: Attempt, knobs: MathVerifier) -> Outcome | Case:
    begin = time.perf_counter()
    result = _decide(attempt, knobs)
    return result._replace(seconds=time.perf_counter() - begin)


def _decide(attempt: Attempt, knobs: MathVerifier) -> Outcome | Case:
    reference, problem = gradable.read(attempt.reference, knobs.max_answer_chars)
    if problem:
        return failed("bad_reference", problem)
    if short := cut_short(attempt):
        return short
    found = answers.find(attempt.text, max_chars=knobs.max_answer_chars)
    if found.answer is None:
        return failed("no_answer", found.problem)
    equal = answers.decide(reference, found.answer, loose=True)
    if equal is not None:
        return _say(equal, reference, found.answer, by="rule")
    pair = terms(reference, found.answer)
    if pair and apart(pair):
        return _say(False, reference, found.answer, by="rule")
    return Case(attempt, reference, found.answer, pair, 0.0)


def _by_algebra(case: Case, memo: Memo, knobs: MathVerifier) -> Outcome | Case:
    """What computer algebra says of a case; the case itself where a judge is to be asked."""
    reference, answer = case.reference, case.answer
    if case.pair is None:
        if knobs.judge:
            return case
        readable = answers.is_simple(reference) or terms(reference, reference)
        outcome = _say(False, reference, answer, by="rule") if readable else _bad(reference)
        return outcome._replace(seconds=case.seconds)
    reply = memo[case.pair]
    memo[case.pair] = reply._replace(seconds=0.0)  # spent once
    seconds = case.seconds + reply.seconds
    if knobs.judge and reply.value in ("unclear", "unreadable"):
        return case._replace(seconds=seconds)
    outcome = _say(reply.value == "equal", reference, answer, by="algebra")
    if reply.status != "done":
        outcome = failed(reply.status, f"comparing {answer} with {reference}: {reply.detail}")
    elif reply.value == "unreadable":
        outcome = _bad(reference)
    return outcome._replace(seconds=seconds)


def _by_judge(cases: list[Case], knobs: Judge) -> Iterator[Outcome]:
    """Equal or not in the eyes of a judge, who sees question, reference and answer, not the reasoning."""

    def ask(case: Case, client: Any) -> Outcome:
        begin = time.perf_counter()
        question = judge.Question(
            knobs.task or TASK,
            (
                judge.Section("question", query_text(case.attempt.messages)),
                judge.Section("reference answer", case.reference),
                judge.Section("student's answer", case.answer),
            ),
            {"equivalent": 1.0},
            tolerance=0.0,
        )
        outcome = judge.rate(question, client=client, knobs=knobs)
        if outcome.score in (0.0, 1.0):
            outcome = _say(outcome.score == 1.0, case.reference, case.answer, by="judge")
        elif outcome.status == "scored":
            outcome = failed("judge_error", f"neither 0 nor 1: {outcome.detail}")
        return outcome._replace(seconds=case.seconds + time.perf_counter() - begin)

    return (outcome for _, outcome in judge.each(cases, ask, knobs=knobs))


def _bad(reference: str) -> Outcome:
    return failed("bad_reference", gradable.unreadable(reference))


def _say(equal: bool, reference: str, answer: str, *, by: str) -> Outcome:
    relation = "equal to" if equal else "expected"
    return scored(float(equal), f"{relation} {reference}, got {answer}", by=by)
