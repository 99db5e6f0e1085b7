"""Verifier of instruction following: IFEval's checkers; the score is the share of instructions met.

Reference: `{"instruction_id_list": [...], "kwargs": [{...}, ...]}` (paper §4: mean pass rate over all
constraints). Answers are checked in workers that can be killed: some checkers' regular expressions take
quadratic time, which a long run of blank lines turns into hours. `facts` says whether all instructions
are met strictly and loosely, and which are not in the mode that counts.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from sourcewise.gradable import instruction as gradable
from sourcewise.gradable.unusable import UnusableReferenceError
from sourcewise.grading import ifeval, punkt
from sourcewise.grading.attempts import Attempt, Judged, Outcome, cut_short, failed, scored, verdict
from sourcewise.grading.killable import Pool, Reply
from sourcewise.params.distill import InstructionVerifier
from sourcewise.text import final_answer

VERSION = "2"
BATCH = 512


def score(attempts: Iterable[Attempt], *, knobs: InstructionVerifier) -> Iterator[Judged]:
    """One verdict per attempt, in order."""
    work = partial(judge, mode=knobs.mode)
    with Pool(
        work, seconds=gradable.SECONDS, memory_mb=gradable.MEMORY_MB, warm=gradable.warm
    ) as pool:
        stream = iter(attempts)
        while batch := list(itertools.islice(stream, BATCH)):
            for attempt, reply in zip(batch, pool.map(batch), strict=True):
                yield verdict(attempt, _outcome(reply), verifier="instruction", version=VERSION)


def problems(references: Iterable[str], *, knobs: InstructionVerifier) -> Iterator[str | None]:
    """For each reference why no answer could be judged against it, None where it is usable; in order."""
    with gradable.pool() as pool:
        yield from gradable.problems(references, pool=pool)


def _outcome(reply: Reply[Outcome]) -> Outcome:
    if reply.value is not None:
        return reply.value
    return failed(reply.status, reply.detail)._replace(seconds=reply.seconds)


def judge(attempt: Attempt, *, mode: str) -> Outcome:
    """The outcome of one attempt; runs in a worker."""
    begin = time.perf_counter()
    try:
        checkers = gradable.checkers(attempt.reference)
        outcome = cut_short(attempt) or _check(checkers, final_answer(attempt.text) or "", mode)
    except (UnusableReferenceError, ifeval.InstructionError) as error:
        outcome = failed("bad_reference", str(error))
    except punkt.PunktMissingError as error:
        outcome = failed("unavailable", str(error))
    return outcome._replace(seconds=time.perf_counter() - begin)


def _check(checkers: list[Any], answer: str, mode: str) -> Outcome:
    """The share of instructions that an answer meets."""
    strictly = [ifeval.follows(one, answer) for one in checkers]
    # The answer as it is counts in loose mode too, so only what it fails is looked at again.
    forms = [] if all(strictly) else ifeval.variants(answer)
    loosely = [
        met or any(ifeval.follows(one, form) for form in forms)
        for one, met in zip(checkers, strictly, strict=True)
    ]
    counted = loosely if mode == "loose" else strictly
    unmet = [one.id for one, met in zip(checkers, counted, strict=True) if not met]
    n, n_met = len(checkers), len(checkers) - len(unmet)
    detail = f"{n_met} of {n} met" + (f"; not {', '.join(unmet)}" if unmet else "")
    return scored(n_met / n, detail, strict=all(strictly), loose=all(loosely), unmet=unmet)
