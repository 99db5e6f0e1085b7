"""Short answers: finding one in a response, and the comparisons that need no computer algebra.

All of it is linear in the text and exact: no floats, no tolerance. What these rules cannot decide is
left undecided, not wrong.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from sourcewise.grading import shapes
from sourcewise.grading.quantities import quantity, same
from sourcewise.grading.tidy import WORDS, plain, tidy
from sourcewise.text import ANSWER_CLOSE, ANSWER_OPEN, split_reasoning

TAIL = 20_000  # characters from the end in which an answer is looked for
MAX_WORDS = 3  # of a reference that is compared letter by letter; more are prose

_BRACES = re.compile(r"\\boxed\s*\{|\\.|[{}]", re.DOTALL)
_BASES = {
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
}
_BASES |= {"nine": "9", "ten": "10", "twelve": "12", "sixteen": "16"}
_BASE = re.compile(rf"^([0-9A-Fa-f]+)_\{{?([0-9]+|{'|'.join(_BASES)})\}}?$")
_RATIO = re.compile(r"^[0-9]+(?::[0-9]+)+$")
_LETTER = re.compile(r"^\(?([A-J])\)?$")
_LETTER_GIVEN = re.compile(
    r"^(?:[Oo]ption |[Cc]hoice )?\(?([A-J])(?:\)|[.:]|$)[.:]?(?P<rest>\s.*)?$", re.DOTALL
)
# What may take a choice back: "C or any other", "C is wrong".
_HEDGE = re.compile(
    r"\b(?:or|any|all|either|both|none|not|maybe|perhaps|unless|wrong|incorrect|false|others?)\b",
    re.IGNORECASE,
)


class Found(NamedTuple):
    """The answer of a response; None where it gives none, with `problem` saying why."""

    answer: str | None
    problem: str


def read_reference(reference: str) -> str | None:
    """The answer in `{"answer": "…"}`; None for anything else."""
    try:
        answer = json.loads(reference)["answer"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return answer if isinstance(answer, str) and answer.strip() else None


def find(text: str, *, max_chars: int) -> Found:
    r"""The last balanced box in the last `<answer>` after the reasoning, else all of that tag.

    Without a tag, the last balanced box after the reasoning. A tag is where a response was told to answer,
    and what a student learns to end with: a box outside of it, before or behind, is not looked at, and a
    tag that contradicts such a box is judged by what it says itself.
    """
    answer = split_reasoning(text).answer
    _, tag, rest = answer.rpartition(ANSWER_OPEN)
    region = rest.partition(ANSWER_CLOSE)[0] if tag else answer
    found = boxed(region)
    if found is None and not tag:
        return Found(None, "neither an <answer> nor a \\boxed{} after the reasoning")
    found = (region if found is None else found).strip()
    if not found:
        return Found(None, "the answer is empty")
    if len(found) > max_chars:
        return Found(None, f"an answer of {len(found)} characters, more than {max_chars}")
    return Found(found, "")


def boxed(text: str) -> str | None:
    r"""What the last balanced \boxed{} holds, the innermost where they nest; None without one."""
    text = text[-TAIL:]
    opened: list[int] = []  # the end of each open "\boxed{", -1 for a plain brace
    last: tuple[int, int] | None = None
    for token in _BRACES.finditer(text):
        if token.group().startswith("\\boxed"):
            opened.append(token.end())
        elif token.group() == "{":
            opened.append(-1)
        elif token.group() == "}" and opened:
            start = opened.pop()
            if start >= 0 and (last is None or start > last[0]):
                last = (start, token.start())
    return None if last is None else text[slice(*last)].strip()


def is_letter(reference: str) -> bool:
    """Whether a reference is the letter of a choice."""
    return _LETTER.match(plain(reference)) is not None


def is_words(reference: str) -> bool:
    """Whether a reference is a name or a few words, which are compared letter by letter."""
    words = WORDS.sub(r" \1 ", tidy(reference)).split()
    if len(words) > MAX_WORDS or not "".join(words).isalpha():
        return False
    return "\\text" in reference or len("".join(words)) >= 3


def is_simple(reference: str) -> bool:
    """Whether a reference is a number, a letter, a few words or nothing: no algebra is needed to read it."""
    text = tidy(reference)
    numeral = quantity(text) or _BASE.match(plain(reference)) or _RATIO.match(plain(reference))
    return (
        numeral is not None or is_letter(reference) or is_words(reference) or shapes.is_empty(text)
    )


def decide(reference: str, answer: str, *, loose: bool = False) -> bool | None:
    """Whether an answer equals the reference, where rules can tell; None where they cannot.

    `loose` takes "10 m" and "10cm" for ten with a unit where the reference is a number.
    """
    wanted, given = plain(reference), plain(answer)
    if wanted == given:
        return True
    if letter := _LETTER.match(wanted):
        return _is_choice(letter[1], answer)
    if "_" in wanted + given and (_BASE.match(wanted) or _BASE.match(given)):
        return _same_in_base(wanted, given)
    if is_words(reference) and wanted.casefold() == given.casefold():
        return True
    if shapes.is_empty(wanted) and shapes.is_empty(given):
        return True
    pair = shapes.aligned(tidy(reference), tidy(answer))
    verdict = _same_values(*pair, loose=loose)
    if verdict is not None:
        return verdict
    if quantity(pair.wanted) or quantity(pair.given):
        return None  # "1,000" is no list
    rows = shapes.row(pair.wanted), shapes.row(pair.given)
    return shapes.same_row(rows[0], rows[1], _same_parts) if rows[0] and rows[1] else None


def _same_values(wanted: str, given: str, *, loose: bool = False) -> bool | None:
    if plain(wanted) == plain(given):
        return True
    want = quantity(wanted)
    got = quantity(given, loose=loose) if want else None
    return same(want, got) if want and got else None


def _same_parts(wanted: str, given: str) -> bool | None:
    """Two parts of a list, which may be numbers, "x = 5" or tuples of such."""
    pair = shapes.aligned(wanted, given)
    rows = shapes.row(pair.wanted), shapes.row(pair.given)
    if rows[0] and rows[1]:
        return shapes.same_row(rows[0], rows[1], _same_values)
    return _same_values(*pair)


def _is_choice(letter: str, answer: str) -> bool | None:
    """Whether an answer is one letter, as in "C", "(C)" or "C. 15", and no other after it.

    None where words after the letter may take it back.
    """
    found = _LETTER_GIVEN.match(WORDS.sub(r"\1", tidy(answer)))
    if found is None or found[1] != letter:
        return False
    rest = found["rest"] or ""
    if re.search(r"\b[A-J]\b", rest):
        return False
    return None if _HEDGE.search(rest) else True


def _same_in_base(wanted: str, given: str) -> bool | None:
    """Digits with a base: the reference's may be left out, but none but ten may be added."""
    want, got = _BASE.match(wanted), _BASE.match(given)
    base = _BASES.get(got[2], got[2]) if got else None
    if want is None:
        if base == "10" and got and got[1] == wanted:
            return True
        return None if re.search(r"[a-zA-Z]", wanted) else False
    digits = got[1] if got else given
    return want[1].lower() == digits.lower() and base in (None, _BASES.get(want[2], want[2]))
