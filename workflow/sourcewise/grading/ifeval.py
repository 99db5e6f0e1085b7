"""IFEval's checkers (Google, Apache-2.0) as lm-eval distributes them, made deterministic and offline.

lm-eval imports torch and downloads NLTK data when it is imported. Here only its IFEval modules are,
under parent packages that are empty; what they would fetch is looked up on this machine; and a random
default for a missing argument is an error.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import re
import shutil
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

PACKAGE = "lm_eval.tasks.ifeval"
PUNKT_FILES = ("abbrev_types.txt", "collocations.tab", "ortho_context.tab", "sent_starters.txt")
PUNKT_REMEDY = (
    "NLTK's English punkt_tab is not on this machine: set SOURCEWISE_PUNKT to a directory that holds "
    f"{', '.join(PUNKT_FILES)}, or run `python -m nltk.downloader punkt_tab` where there is a network"
)
NEEDS_PUNKT = frozenset(
    {"length_constraints:number_sentences", "change_case:capital_word_frequency"}
)
_LETTER = "keywords:letter_frequency"
_LISTS = frozenset({"keywords", "forbidden_words", "key_sentences"})
_COUNTS = re.compile(r"num_\w+|\w*frequency|nth_paragraph|low|high")


class InstructionError(ValueError):
    """An instruction that cannot be checked as it is stated; its reference is not usable."""


class PunktMissingError(RuntimeError):
    """A checker needs NLTK data that is not there; the message names the remedy."""


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


@functools.cache
def punkt_available() -> bool:
    """Whether NLTK finds punkt_tab: in $SOURCEWISE_PUNKT, beside the repository or where it looks itself."""
    import nltk

    given = os.environ.get("SOURCEWISE_PUNKT")
    for source in [Path(given)] if given else [Path("../shared/data/nltk_punkt_tab")]:
        if all((source / name).is_file() for name in PUNKT_FILES):
            nltk.data.path.insert(0, _as_nltk_data(source))
    try:
        nltk.data.find("tokenizers/punkt_tab/english/")
    except LookupError:
        return False
    return True


def _as_nltk_data(source: Path) -> str:
    """A directory laid out as NLTK wants it, for as long as this process lives."""
    import atexit

    root = tempfile.mkdtemp(prefix="sourcewise-nltk-")
    english = Path(root) / "tokenizers" / "punkt_tab" / "english"
    english.mkdir(parents=True)
    for name in PUNKT_FILES:
        shutil.copyfile(source / name, english / name)
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return root


def checker(instruction_id: str, arguments: dict[str, Any]) -> Any:
    """An instruction ready to check answers.

    Raises InstructionError where it is unknown or incompletely stated, PunktMissingError where it
    needs NLTK data that is not there.
    """
    known = registry()
    if instruction_id not in known:
        raise InstructionError(f"unknown instruction {instruction_id!r}")
    if instruction_id in NEEDS_PUNKT and not punkt_available():
        raise PunktMissingError(PUNKT_REMEDY)
    instruction = known[instruction_id](instruction_id)
    given = {
        name: _typed(instruction_id, name, value)
        for name, value in arguments.items()
        if value is not None
    }
    missing = set(instruction.get_instruction_args_keys()) - set(given)
    if missing:
        raise InstructionError(f"{instruction_id} lacks {', '.join(sorted(missing))}")
    letter = given.get("letter")
    if instruction_id == _LETTER and isinstance(letter, str) and len(letter) == 1:
        # The checker takes a to z only and would draw another one for "#" or "!".
        given["letter"] = "a"
    try:
        instruction.build_description(**given)
    except (TypeError, AttributeError, ValueError, KeyError) as error:
        raise InstructionError(f"{instruction_id}: {error}") from None
    if given.get("letter") == "a":
        instruction._letter = str(letter).lower()
    return instruction


def _typed(instruction_id: str, name: str, value: Any) -> Any:
    """An argument of its type: the checkers take a text for a list of letters and crash over the rest.

    Whole numbers may be written as floats, as tables do that have a column for each argument.
    """
    if name in _LISTS:
        kind = "a list of texts"
        fits = isinstance(value, list) and bool(value) and all(map(_is_text, value))
    elif _COUNTS.fullmatch(name):
        kind = "a whole number"
        fits = type(value) in (int, float) and value >= 0 and value == value // 1
        value = int(value) if fits else value
    else:
        kind, fits = "a text", _is_text(value)
    if not fits:
        raise InstructionError(f"{instruction_id}: {name} {str(value)[:80]!r} is not {kind}")
    return value


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
