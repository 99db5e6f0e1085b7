"""References of programs: asserts that can be split, or inputs with their outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import BaseModel, ConfigDict, ValidationError

from sourcewise.gradable.unusable import UnusableReferenceError
from sourcewise.grading import asserts

LANGUAGES = ("python", "cpp")


class Reference(BaseModel):
    """A reference's tests, of either kind."""

    model_config = ConfigDict(extra="ignore", strict=True)

    call_type: str
    fn_name: str = ""
    assert_case: list[str] = []
    inputs: list[str] = []
    outputs: list[str] = []
    language: str = "python"


def problems(references: Iterable[str]) -> Iterator[str | None]:
    """For each reference why no program could be judged against it, None where it is usable."""
    for reference in references:
        try:
            checks(read(reference))
        except UnusableReferenceError as error:
            yield str(error)
        else:
            yield None


def read(reference: str) -> Reference:
    """A reference; raises UnusableReferenceError where it is none or of a language that is not known."""
    try:
        found = Reference.model_validate_json(reference)
    except ValidationError as error:
        raise UnusableReferenceError(" ".join(str(error).split())) from None
    if found.language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise UnusableReferenceError(f"language {found.language!r} is none of {known}")
    return found


def checks(reference: Reference) -> list[asserts.Check]:
    """The asserts of a reference, none where it has inputs and outputs.

    Raises UnusableReferenceError where it has no tests or one that cannot be used.
    """
    if reference.call_type == "assert" and reference.assert_case and reference.fn_name:
        name = reference.fn_name.rpartition(".")[2]
        try:
            return [asserts.split(case, name) for case in reference.assert_case]
        except asserts.UnsupportedTestError as error:
            raise UnusableReferenceError(str(error)) from None
    pairs = len(reference.inputs) == len(reference.outputs)
    if reference.call_type == "std" and reference.inputs and pairs:
        return []
    raise UnusableReferenceError(
        f"call_type {reference.call_type!r} with {len(reference.assert_case)} asserts, fn_name "
        f"{reference.fn_name!r}, {len(reference.inputs)} inputs and {len(reference.outputs)} outputs"
    )
