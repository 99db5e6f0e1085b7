"""Verifier of dialogue and general chat: coherence, correctness and helpfulness, from 0 to 4 each.

There is no reference. The score is their sum divided by 12 (paper §4), from a reward model, as in the
paper, or from a judge. Both read the whole conversation and the answer without its reasoning. A judge
rates twice; ratings at most 1 apart agree, and the lower sum counts. A conversation that is longer than a
reward model reads is `truncated`: half of it never passes.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from typing import Any

from sourcewise.grading import judge
from sourcewise.grading.attempts import Attempt, Judged, Outcome, cut_short, failed, scored, verdict
from sourcewise.grading.reward import Rating, RewardModel
from sourcewise.params.distill import Reward
from sourcewise.params.judge import Judge
from sourcewise.tables import Message
from sourcewise.text import final_answer

VERSION = "2"
BATCH = 256
TASK = (
    "Rate the assistant's last reply in a conversation. coherence: it is clear, consistent and free "
    "of repetition. correctness: what it says is true and complete. helpfulness: it does what the "
    "user asked for. 0 is the worst value, 4 the best."
)
TOP = 4.0
SCALES = {"coherence": TOP, "correctness": TOP, "helpfulness": TOP}


def score(attempts: Iterable[Attempt], *, knobs: Judge | Reward) -> Iterator[Judged]:
    """One verdict per attempt, in order; `unavailable` where neither judge nor reward model is set up."""
    judged = _by_judge(attempts, knobs) if isinstance(knobs, Judge) else _by_reward(attempts, knobs)
    for attempt, outcome in judged:
        yield verdict(attempt, outcome, verifier="dialogue", version=VERSION)


def problems(references: Iterable[str], *, knobs: Judge | Reward) -> Iterator[None]:
    """None for each: there is no reference that could be unusable."""
    return (None for _ in references)


def _by_judge(attempts: Iterable[Attempt], knobs: Judge) -> Iterator[tuple[Attempt, Outcome]]:
    def outcome(attempt: Attempt, client: Any) -> Outcome:
        if short := _nothing_to_rate(attempt):
            return short
        conversation = "\n\n".join(f"{turn.role}: {turn.content}" for turn in attempt.messages)
        reply = final_answer(attempt.text) or ""
        sections = (judge.Section("conversation", conversation), judge.Section("reply", reply))
        question = judge.Question(knobs.task or TASK, sections, SCALES, tolerance=1.0)
        return judge.rate(question, client=client, knobs=knobs)

    return judge.each(attempts, outcome, knobs=knobs)


def _by_reward(attempts: Iterable[Attempt], knobs: Reward) -> Iterator[tuple[Attempt, Outcome]]:
    stream = iter(attempts)
    with RewardModel(knobs) as model:
        while batch := list(itertools.islice(stream, BATCH)):
            begin = time.perf_counter()
            shorts = [_nothing_to_rate(attempt) for attempt in batch]
            rated = [one for one, short in zip(batch, shorts, strict=True) if short is None]
            ratings = iter(model.rate([_conversation(attempt) for attempt in rated]))
            # They are rated together, so each takes an equal part of the time.
            seconds = (time.perf_counter() - begin) / len(batch)
            for attempt, short in zip(batch, shorts, strict=True):
                outcome = short or _outcome(next(ratings), knobs)
                yield attempt, outcome._replace(seconds=seconds)


def _nothing_to_rate(attempt: Attempt) -> Outcome | None:
    if short := cut_short(attempt):
        return short
    return None if final_answer(attempt.text) else failed("no_answer", "the answer is empty")


def _conversation(attempt: Attempt) -> list[Message]:
    return [*attempt.messages, Message("assistant", final_answer(attempt.text) or "")]


def _outcome(rating: Rating, knobs: Reward) -> Outcome:
    """The sum of the three outputs, each brought from [lowest, highest] to [0, 4] and cut there."""
    if rating.status:
        return failed(rating.status, rating.detail)
    width = knobs.highest - knobs.lowest
    shares = {name: (rating.outputs[name] - knobs.lowest) / width for name in SCALES}
    ratings = {name: round(TOP * min(1.0, max(0.0, share)), 3) for name, share in shares.items()}
    total, highest = sum(ratings.values()), sum(SCALES.values())
    shown = ", ".join(f"{name} {rating:g}" for name, rating in ratings.items())
    return scored(total / highest, f"{shown} of {highest:g}", by="reward model", ratings=ratings)
