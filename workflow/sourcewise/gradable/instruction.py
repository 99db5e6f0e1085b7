"""References of instruction following: constraints that IFEval's checkers know, with all their arguments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from sourcewise.gradable.unusable import UnusableReferenceError
from sourcewise.grading import ifeval


class Reference(BaseModel):
    """Instructions and their arguments, in parallel."""

    model_config = ConfigDict(extra="ignore")

    instruction_id_list: list[str]
    arguments: list[dict[str, Any] | None] = Field(validation_alias=AliasChoices("kwargs"))


def problems(references: Iterable[str]) -> Iterator[str | None]:
    """For each reference why no answer could be judged against it, None where it is usable.

    One that needs NLTK's data is taken for usable where they are missing: the machine lacks something then.
    """
    for reference in references:
        try:
            checkers(reference)
        except UnusableReferenceError as error:
            yield str(error)
        except ifeval.PunktMissingError:
            yield None
        else:
            yield None


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
