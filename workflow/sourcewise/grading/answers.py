"""Short answers: finding one in a response, and the comparisons that need no computer algebra.

All of it is linear in the text and exact: no floats, no tolerance. What these rules cannot decide is
left undecided, not wrong.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from sourcewise.grading.quantities import WORDS, quantity, same
from sourcewise.text import ANSWER_CLOSE, ANSWER_OPEN, split_reasoning

TAIL = 20_000  # characters from the end in which an answer is looked for

_BRACES = re.compile(r"\\boxed\s*\{|\\.|[{}]", re.DOTALL)
_SPACING = re.compile(
    r"\\(?:left|right|big|Big|bigg|Bigg|displaystyle|limits)(?![a-zA-Z])|\\[!,;:> ]|~"
)
_LEAD_IN = re.compile(
    r"^(?:so |thus |hence |therefore )?,?\s*(?:the )?(?:final )?answer(?: is\b|\s*[:=])\s*:?\s*",
    re.IGNORECASE,
)
_DELIMITERS = (("$$", "$$"), ("\\(", "\\)"), ("\\[", "\\]"), ("$", "$"))
_BASE = re.compile(r"^([0-9A-Fa-f]+)_\{?([0-9]+)\}?$")
_LETTER = re.compile(r"^\(?([A-J])\)?$")
_LETTER_GIVEN = re.compile(
    r"^(?:[Oo]ption |[Cc]hoice )?\(?([A-J])(?:\)|[.:]|$)[.:]?(?P<rest>\s.*)?$", re.DOTALL
)
_WORD = re.compile(
    r"(?<![\\a-zA-Z])(?!and\b|for\b|all\b|not\b|mod\b|sin|cos|tan|log|pi\b)[a-zA-Z]{3,}"
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
    """After the reasoning, in the last `<answer>`: the last balanced box, else all of the answer tag."""
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


def tidy(answer: str) -> str:
    """An answer without what only typesets it: delimiters, spacing, bold stars, the final period."""
    text = _LEAD_IN.sub("", answer.strip().strip("*").strip())
    text = text.replace("\\$", "$").replace("\\%", "%").replace("{,}", ",").replace("−", "-")
    for opening, closing in _DELIMITERS:
        enclosed = text.startswith(opening) and text.endswith(closing)
        if enclosed and len(text) > 2 * len(opening):
            text = text[len(opening) : -len(closing)]
    text = _SPACING.sub(" ", text)
    text = re.sub(r"\\[dt]frac(?![a-zA-Z])", r"\\frac", text)
    text = re.sub(r"\^\s*\{?\s*\\circ\s*\}?|\\degree(?![a-zA-Z])", "°", text)
    if "\\!" in answer:  # LaTeX's thousands: 10,\!080
        text = re.sub(r"(?<=[0-9]),\s+(?=[0-9]{3}\b)", ",", text)
    return " ".join(text.split()).rstrip(".").strip()


def plain(answer: str) -> str:
    """The form in which equal answers are equal strings: tidied, words bare, blanks between digits only."""
    return re.sub(r"(?<![0-9])\s+|\s+(?![0-9])", "", WORDS.sub(r"\1", tidy(answer)))


def is_letter(reference: str) -> bool:
    """Whether a reference is the letter of a choice."""
    return _LETTER.match(plain(reference)) is not None


def decide(reference: str, answer: str) -> bool | None:
    """Whether an answer equals the reference, where rules can tell; None where they cannot."""
    wanted, given = plain(reference), plain(answer)
    if wanted == given:
        return True
    if letter := _LETTER.match(wanted):
        return _is_choice(letter[1], answer)
    if "_" in wanted + given and (_BASE.match(wanted) or _BASE.match(given)):
        return _same_in_base(wanted, given)
    want = quantity(tidy(reference))
    got = quantity(re.sub(r"^[a-zA-Z]\s*=\s*", "", tidy(answer)))
    if want and got:
        return same(want, got)
    worded = "\\text" in reference and wanted.isalpha()
    if worded or re.fullmatch(r"[^\W\d_]{4,}", wanted):
        return wanted.casefold() == given.casefold()
    if "%" in wanted + given or is_prose(answer):
        return False
    return None


def _is_choice(letter: str, answer: str) -> bool:
    """Whether an answer is one letter, as in "C", "(C)" or "C. 15", and no other after it."""
    found = _LETTER_GIVEN.match(WORDS.sub(r"\1", tidy(answer)))
    if found is None or found[1] != letter:
        return False
    return re.search(r"\b[A-J]\b", found["rest"] or "") is None


def _same_in_base(wanted: str, given: str) -> bool | None:
    """Digits with a base: the reference's may be left out, but none may be added or changed."""
    want, got = _BASE.match(wanted), _BASE.match(given)
    if want is None:
        return None if re.search(r"[a-zA-Z]", wanted) else False
    digits = got[1] if got else given
    return want[1].lower() == digits.lower() and (got is None or want[2] == got[2])


def is_prose(answer: str) -> bool:
    """Whether an answer is sentences: computer algebra reads their letters as variables."""
    return len(_WORD.findall(WORDS.sub(" ", tidy(answer)))) >= 2
