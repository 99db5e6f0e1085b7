"""IFEval's checkers (Google, Apache-2.0) as lm-eval distributes them, made deterministic and offline.

lm-eval imports torch and downloads NLTK data when it is imported. Here only its IFEval modules are,
under parent packages that are empty; what they would fetch is looked up on this machine; and a random
default for a missing argument is an error.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import itertools
import os
import re
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sourcewise.grading import punkt

PACKAGE = "lm_eval.tasks.ifeval"
NEEDS_PUNKT = frozenset(
    {"length_constraints:number_sentences", "change_case:capital_word_frequency"}
)
_LETTER = "keywords:letter_frequency"
_LISTS = frozenset({"keywords", "forbidden_words", "key_sentences"})
_COUNTS = re.compile(r"num_\w+|\w*frequency|nth_paragraph|low|high")


class InstructionError(ValueError):
    """An instruction that cannot be checked as it is stated; its reference is not usable."""


class _NoDefaults:
    """In the place of `random` in the checkers, which fill missing arguments by chance."""

    def __getattr__(self, name: str) -> Any:
        raise InstructionError("an argument is missing or outside its range")


@functools.cache
def registry() -> dict[str, Any]:
    """The checker classes by instruction id."""
    spec = importlib.util.find_spec("lm_eval")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("lm-eval is not installed: pip install --no-deps lm-eval==0.4.13")
    parent = Path(spec.submodule_search_locations[0])
    for name, path in (("lm_eval", parent), ("lm_eval.tasks", parent / "tasks")):
        stub = types.ModuleType(name)
        stub.__path__ = [str(path)]
        sys.modules.setdefault(name, stub)
    rank = os.environ.get("LOCAL_RANK")
    os.environ["LOCAL_RANK"] = "1"  # lm-eval downloads NLTK data in rank 0 only
    try:
        classes = importlib.import_module(f"{PACKAGE}.instructions_registry").INSTRUCTION_DICT
    finally:
        os.environ.pop("LOCAL_RANK")
        if rank is not None:
            os.environ["LOCAL_RANK"] = rank
    for module in ("instructions", "instructions_util"):
        sys.modules[f"{PACKAGE}.{module}"].random = _NoDefaults()  # type: ignore[attr-defined]
    sys.modules[f"{PACKAGE}.instructions"].langdetect = _LanguageDetection  # type: ignore[attr-defined]
    return dict(classes)


@functools.lru_cache(maxsize=16)
def language(text: str) -> str | None:
    """The code of a text's language, the same in every run; None for a text that is in none.

    Takes 10 ms, the first time 0.5 s.
    """
    import langdetect

    langdetect.DetectorFactory.seed = 0  # it draws random numbers
    try:
        return str(langdetect.detect(text))
    except langdetect.LangDetectException:
        return None


class _LanguageDetection:
    """In the place of `langdetect` in the checkers, which count a text in no language as followed."""

    detect = staticmethod(language)

    class LangDetectException(Exception):  # noqa: N818
        """Never raised; the checkers name it."""


def checker(instruction_id: str, arguments: dict[str, Any]) -> Any:
    """An instruction ready to check answers; its `description` asks for what it checks.

    Raises InstructionError where it is unknown or incompletely stated, PunktMissingError where it
    needs NLTK data that is not there.
    """
    known = registry()
    if instruction_id not in known:
        raise InstructionError(f"unknown instruction {instruction_id!r}")
    if instruction_id in NEEDS_PUNKT and not punkt.available():
        raise punkt.PunktMissingError(punkt.REMEDY)
    instruction = known[instruction_id](instruction_id)
    given = {
        name: _typed(instruction_id, name, value)
        for name, value in arguments.items()
        if value is not None
    }
    missing = set(instruction.get_instruction_args_keys()) - set(given)
    if missing:
        raise InstructionError(f"{instruction_id} lacks {', '.join(sorted(missing))}")
    sign = given.get("letter", "")
    # The checker takes a to z only and would draw another letter in the place of "#" or "!".
    is_sign = instruction_id == _LETTER and len(sign) == 1 and not "a" <= sign.lower() <= "z"
    if is_sign:
        given["letter"] = "a"
    try:
        instruction.description = instruction.build_description(**given)
    except (TypeError, AttributeError, ValueError, KeyError) as error:
        raise InstructionError(f"{instruction_id}: {error}") from None
    if is_sign:
        instruction._letter = sign.lower()
        instruction.description = instruction.description.replace(" letter a ", f" sign {sign} ")
    return instruction


def _typed(instruction_id: str, name: str, value: Any) -> Any:
    """An argument of its type: the checkers take a text for a list of letters and crash over the rest.

    Whole numbers may be written as floats, as tables do that have a column for each argument.
    """
    if name in _LISTS:
        kind = "a list of texts"
        fits = isinstance(value, list) and bool(value) and all(map(_is_text, value))
        for pattern in value if fits else ():
            _compile(instruction_id, pattern)  # the checkers stop at the first that is not found
    elif _COUNTS.fullmatch(name):
        kind = "a whole number"
        fits = type(value) in (int, float) and value >= 0 and value == value // 1
        value = int(value) if fits else value
    else:
        kind, fits = "a text", _is_text(value)
    if not fits:
        raise InstructionError(f"{instruction_id}: {name} {str(value)[:80]!r} is not {kind}")
    return value


def _compile(instruction_id: str, pattern: str) -> None:
    """Keywords are used as regular expressions."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise InstructionError(f"{instruction_id}: {pattern[:80]!r}: {error}") from None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def follows(instruction: Any, answer: str) -> bool:
    """Whether an answer meets an instruction; an empty answer meets none."""
    if not answer.strip():
        return False
    try:
        return bool(instruction.check_following(answer))
    except re.error as error:  # keywords are used as regular expressions
        raise InstructionError(f"{instruction.id}: {error}") from None


def variants(answer: str) -> list[str]:
    """The trimmed forms that IFEval's loose mode looks at beside the answer, each once."""
    lines = answer.split("\n")
    cut = ["\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1])]
    forms = [answer, *cut]
    forms += [form.replace("*", "") for form in forms]
    return [form for form in dict.fromkeys(forms) if form != answer]


def conflicts(ids: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs of instructions that no answer can meet together by IFEval's own table.

    An instruction conflicts with itself. Where the table holds a pair one way, it holds both ways.
    """
    registry()
    table = sys.modules[f"{PACKAGE}.instructions_registry"].INSTRUCTION_CONFLICTS
    return [
        (one, other)
        for one, other in itertools.combinations(ids, 2)
        if one == other or other in table.get(one, ()) or one in table.get(other, ())
    ]
