"""Verifier of instruction following: IFEval's checkers; the score is the share of instructions met.

Reference: `{"instruction_id_list": [...], "kwargs": [{...}, ...]}` (paper §4: mean pass rate over all
constraints). Answers are checked in workers that can be killed: some checkers' regular expressions take
quadratic time, which a long run of blank lines turns into hours.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from functools import partial

from sourcewise.gradable import instruction as gradable
from sourcewise.gradable.unusable import UnusableReferenceError
from sourcewise.grading import ifeval
from sourcewise.grading.attempts import Attempt, Outcome, cut_short, failed, scored, verdict
from sourcewise.grading.killable import Pool, Reply
from sourcewise.params.distill import InstructionVerifier
from sourcewise.tables import Verdict
from sourcewise.text import final_answer

VERSION = "1"
BATCH = 512
SECONDS, MEMORY_MB = 20.0, 2048  # an ordinary answer takes milliseconds


def score(attempts: Iterable[Attempt], *, knobs: InstructionVerifier) -> Iterator[Verdict]:
    """One verdict per attempt, in order."""
    work = partial(judge, mode=knobs.mode)
    with Pool(work, seconds=SECONDS, memory_mb=MEMORY_MB, warm=_warm) as pool:
        stream = iter(attempts)
        while batch := list(itertools.islice(stream, BATCH)):
            for attempt, reply in zip(batch, pool.map(batch), strict=True):
                yield verdict(attempt, _outcome(reply), verifier="instruction", version=VERSION)


def problems(references: Iterable[str], *, knobs: InstructionVerifier) -> Iterator[str | None]:
    """For each reference why no answer could be judged against it, None where it is usable; in order."""
    yield from gradable.problems(references)


def _outcome(reply: Reply[Outcome]) -> Outcome:
    return reply.value if reply.value is not None else failed(reply.status, reply.detail)


def _warm() -> None:
    ifeval.registry()
    ifeval.punkt_available()


def judge(attempt: Attempt, *, mode: str) -> Outcome:
    """The outcome of one attempt; runs in a worker."""
    try:
        checkers = gradable.checkers(attempt.reference)
        if short := cut_short(attempt):
            return short
        answer = final_answer(attempt.text) or ""
        forms = ifeval.variants(answer) if mode == "loose" else [answer]
        unmet = [one.id for one in checkers if not any(ifeval.follows(one, form) for form in forms)]
    except (UnusableReferenceError, ifeval.InstructionError) as error:
        return failed("bad_reference", str(error))
    except ifeval.PunktMissingError as error:
        return failed("unavailable", str(error))
    met = len(checkers) - len(unmet)
    detail = f"{met} of {len(checkers)} met" + (f"; not {', '.join(unmet)}" if unmet else "")
    return scored(met / len(checkers), detail)
