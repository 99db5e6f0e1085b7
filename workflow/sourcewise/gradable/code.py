"""What a program has to do, as the reference of its query says, and whether anything can be judged by it.

`call_type` is the form:
assert  asserts over calls of `fn_name`; each is split (`grading.asserts`), up to its comparison;
std     what the program reads and what it must write;
solve   calls of `fn_name`; what is expected is what `solution` gives, asked once in a sandbox of its own;
replay  a test that cannot be split (loops, helpers, C++): it runs in a sandbox without the program.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sourcewise.gradable.declaration import declaration
from sourcewise.gradable.unusable import UnusableReferenceError
from sourcewise.grading import asserts

LANGUAGES = {
    "assert": ("python",),
    "std": ("python", "cpp"),
    "solve": ("python",),
    "replay": ("python", "cpp"),
}


class Reference(BaseModel):
    """A reference's tests, of any form.

    `prelude` is what the question gave before the program (imports, helpers), `setup` what the tests
    need after it. `oracle` says when a value meets the expected one of `solve`: equal within `atol`,
    equal as sets, equal in truth (anything but False and None), or a root of the polynomial asked for.
    """

    model_config = ConfigDict(extra="ignore", strict=True)

    call_type: Literal["assert", "std", "solve", "replay"]
    language: str = "python"
    fn_name: str = ""
    prelude: str = ""
    setup: str = ""
    assert_case: list[str] = []
    inputs: list[str] = []
    outputs: list[str] = []
    calls: list[str] = []
    solution: str = ""
    oracle: Literal["equal", "set", "truth", "root"] = "equal"
    atol: float = Field(default=0.0, ge=0.0, strict=False)
    test: str = ""

    @property
    def name(self) -> str:
        """The function's or method's name without its class; raises UnusableReferenceError."""
        if self.call_type == "replay" and self.language == "cpp":
            return declaration(self.prelude).name
        return self.fn_name.rpartition(".")[2]


def problems(references: Iterable[str]) -> Iterator[str | None]:
    """For each reference why no program could be judged by it, None where it is usable.

    It is read and no more: nothing runs that a reference brings with it.
    """
    for text in references:
        try:
            reference = read(text)
            checks(reference)
        except UnusableReferenceError as error:
            yield str(error)
        else:
            yield runner_problem(reference)


def read(text: str) -> Reference:
    """The reference that a query carries; raises UnusableReferenceError."""
    try:
        reference = Reference.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the reference"
        raise UnusableReferenceError(f"{where}: {first['msg']}") from None
    missing = [name for name in _needed(reference) if not getattr(reference, name)]
    if missing:
        raise UnusableReferenceError(
            f"call_type {reference.call_type!r} without {' and '.join(missing)}"
        )
    if len(reference.inputs) != len(reference.outputs):
        raise UnusableReferenceError(
            f"{len(reference.inputs)} inputs but {len(reference.outputs)} outputs"
        )
    if reference.call_type == "replay" and reference.language == "cpp":
        declaration(reference.prelude)
    return reference


def _needed(reference: Reference) -> tuple[str, ...]:
    match reference.call_type:
        case "assert":
            return "fn_name", "assert_case"
        case "std":
            return "inputs", "outputs"
        case "solve":
            return "fn_name", "calls", "solution"
    python = reference.language == "python"
    return ("fn_name", "test", "solution") if python else ("prelude", "test")


def runner_problem(reference: Reference) -> str | None:
    """Why no program of the reference's language can be run, None where one can."""
    languages = LANGUAGES[reference.call_type]
    if reference.language in languages:
        return None
    known = " and ".join(map(repr, languages))
    return f"no runner for {reference.language!r} of call_type {reference.call_type!r}, only for {known}"


def checks(reference: Reference, max_tests: int | None = None) -> list[asserts.Check]:
    """The asserts, split, by default all; raises UnusableReferenceError for one that nothing could meet."""
    try:
        cases = reference.assert_case[:max_tests]
        return [asserts.split(case, reference.name) for case in cases]
    except asserts.UnsupportedTestError as error:
        raise UnusableReferenceError(str(error)) from None
