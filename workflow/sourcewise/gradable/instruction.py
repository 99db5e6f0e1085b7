"""References of instruction following: constraints that IFEval's checkers know, with all their arguments."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from sourcewise.gradable.unusable import UnusableReferenceError
from sourcewise.grading import ifeval, punkt
from sourcewise.grading.killable import Pool

BATCH = 512
SECONDS, MEMORY_MB = 20.0, 2048  # an ordinary answer takes milliseconds
PROBE = '# A Title\n\n* One point, with a word.\n\nP.S. [Name] "ends" here.'


class Reference(BaseModel):
    """Instructions and their arguments, in parallel."""

    model_config = ConfigDict(extra="ignore")

    instruction_id_list: list[str]
    arguments: list[dict[str, Any] | None] = Field(validation_alias=AliasChoices("kwargs"))


def pool() -> Pool[str, str | None]:
    """Workers that look at references; none starts before the first reference."""
    return Pool(_problem, seconds=SECONDS, memory_mb=MEMORY_MB, warm=warm)


def problems(references: Iterable[str], *, pool: Pool[str, str | None]) -> Iterator[str | None]:
    """For each reference why no answer could be judged against it, None where it is usable; in order.

    Each is tried on a probe, for checkers that fail only when they check. That this machine lacks data
    of NLTK is no fault of a reference.
    """
    stream = iter(references)
    while batch := list(itertools.islice(stream, BATCH)):
        for reply in pool.map(batch):
            failure = f"its checkers fail: {reply.status}, {reply.detail}"
            yield reply.value if reply.status == "done" else failure


def warm() -> None:
    """Loads the checkers, which every worker then inherits."""
    ifeval.registry()
    punkt.available()
    ifeval.language("warm")


def checkers(reference: str) -> list[Any]:
    """The checkers of a reference, ready for answers.

    Raises UnusableReferenceError where one is unknown or lacks an argument, PunktMissingError where it needs
    NLTK's data and this machine has none.
    """
    try:
        found = Reference.model_validate_json(reference)
        ids, arguments = found.instruction_id_list, found.arguments
        if not ids or len(ids) != len(arguments):
            raise UnusableReferenceError(f"{len(ids)} instructions with {len(arguments)} kwargs")
        pairs = zip(ids, arguments, strict=True)
        return [ifeval.checker(name, given or {}) for name, given in pairs]
    except ValidationError as error:
        raise UnusableReferenceError(" ".join(str(error).split())) from None
    except ifeval.InstructionError as error:
        raise UnusableReferenceError(str(error)) from None


def _problem(reference: str) -> str | None:
    try:
        for checker in checkers(reference):
            ifeval.follows(checker, PROBE)
    except (UnusableReferenceError, ifeval.InstructionError) as error:
        return str(error)
    except punkt.PunktMissingError:
        return None
    return None
