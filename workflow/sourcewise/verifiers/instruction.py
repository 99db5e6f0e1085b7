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

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from sourcewise.grading import ifeval, punkt
from sourcewise.grading.attempts import Attempt, Judged, Outcome, cut_short, failed, scored, verdict
from sourcewise.grading.killable import Pool, Reply
from sourcewise.params.distill import InstructionVerifier
from sourcewise.text import final_answer

VERSION = "2"
BATCH = 512
SECONDS, MEMORY_MB = 20.0, 2048  # an ordinary answer takes milliseconds
PROBE = '# A Title\n\n* One point, with a word.\n\nP.S. [Name] "ends" here.'


class Reference(BaseModel):
    """Instructions and their arguments, in parallel."""

    model_config = ConfigDict(extra="ignore")

    instruction_id_list: list[str]
    arguments: list[dict[str, Any] | None] = Field(validation_alias=AliasChoices("kwargs"))


def score(attempts: Iterable[Attempt], *, knobs: InstructionVerifier) -> Iterator[Judged]:
    """One verdict per attempt, in order."""
    work = partial(judge, mode=knobs.mode)
    with Pool(work, seconds=SECONDS, memory_mb=MEMORY_MB, warm=_warm) as pool:
        stream = iter(attempts)
        while batch := list(itertools.islice(stream, BATCH)):
            for attempt, reply in zip(batch, pool.map(batch), strict=True):
                yield verdict(attempt, _outcome(reply), verifier="instruction", version=VERSION)


def problems(references: Iterable[str], *, knobs: InstructionVerifier) -> Iterator[str | None]:
    """For each reference why no answer could be judged against it, None where it is usable; in order.

    Each is tried on a probe, for checkers that fail only when they check. That this machine lacks data
    of NLTK is no fault of a reference.
    """
    with Pool(_problem, seconds=SECONDS, memory_mb=MEMORY_MB, warm=_warm) as pool:
        stream = iter(references)
        while batch := list(itertools.islice(stream, BATCH)):
            for reply in pool.map(batch):
                failure = f"its checkers fail: {reply.status}, {reply.detail}"
                yield reply.value if reply.status == "done" else failure


def _outcome(reply: Reply[Outcome]) -> Outcome:
    if reply.value is not None:
        return reply.value
    spent = SECONDS if reply.status == "timeout" else 0.0
    return failed(reply.status, reply.detail)._replace(seconds=spent)


def _warm() -> None:
    """Loads what every worker then inherits."""
    ifeval.registry()
    punkt.available()
    ifeval.language("warm")


def judge(attempt: Attempt, *, mode: str) -> Outcome:
    """The outcome of one attempt; runs in a worker."""
    begin = time.perf_counter()
    try:
        checkers = _checkers(attempt.reference)
        outcome = cut_short(attempt) or _check(checkers, final_answer(attempt.text) or "", mode)
    except ifeval.InstructionError as error:
        outcome = failed("bad_reference", str(error))
    except punkt.PunktMissingError as error:
        outcome = failed("unavailable", str(error))
    return outcome._replace(seconds=time.perf_counter() - begin)


def _problem(reference: str) -> str | None:
    try:
        _check(_checkers(reference), PROBE, "strict")
    except ifeval.InstructionError as error:
        return str(error)
    except punkt.PunktMissingError:
        return None
    return None


def _checkers(reference: str) -> list[Any]:
    """Raises InstructionError where a reference is not usable."""
    try:
        read = Reference.model_validate_json(reference)
    except ValidationError as error:
        raise ifeval.InstructionError(" ".join(str(error).split())) from None
    ids, arguments = read.instruction_id_list, read.arguments
    if not ids or len(ids) != len(arguments):
        raise ifeval.InstructionError(f"{len(ids)} instructions with {len(arguments)} kwargs")
    pairs = zip(ids, arguments, strict=True)
    return [ifeval.checker(name, given or {}) for name, given in pairs]


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
