"""Short answers: finding one in a response, and the comparisons that need no computer algebra.

All of it is linear in the text and exact: no floats, no tolerance. What these rules cannot decide is
left undecided, not wrong.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from sourcewise.text import ANSWER_CLOSE, ANSWER_OPEN, split_reasoning

TAIL = 20_000  # characters from the end in which an answer is looked for

_BRACES = re.compile(r"\\boxed\s*\{|\\.|[{}]", re.DOTALL)
_SPACING = re.compile(r"\\(?:left|right|big|Big|bigg|Bigg|displaystyle|limits)(?![a-zA-Z])|\\[!,;:> ]|~")
_WORDS = re.compile(r"\\(?:text|mbox|textbf|textit|mathrm|mathbf|textrm|operatorname)\s*\{([^{}]*)\}")
_LEAD_IN = re.compile(
    r"^(?:so |thus |hence |therefore )?,?\s*(?:the )?(?:final )?answer(?: is\b|\s*[:=])\s*:?\s*", re.IGNORECASE
)
_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
_NUMBER = re.compile(
    rf"^(?P<sign>[+-]?)\s*(?P<currency>[$£€]?)\s*(?P<inner>-?)(?:"
    rf"(?P<whole>[0-9]+)?\s*\\frac\s*(?:\{{\s*(?P<n>-?[0-9]+)\s*\}}|(?P<n1>[0-9]))\s*"
    rf"(?:\{{\s*(?P<d>[0-9]+)\s*\}}|(?P<d1>[0-9]))"
    rf"|(?:(?P<mixed>[0-9]+)\s+)?(?P<a>{_DIGITS})\s*/\s*(?P<b>{_DIGITS})"
    rf"|(?P<decimal>{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)"
    rf"(?:[eE](?P<e>[+-]?[0-9]{{1,3}})|\s*(?:\\times|\\cdot|×|\*)\s*10\^\{{?(?P<power>-?[0-9]{{1,3}})\}}?)?"
    rf")(?P<unit>.*)$",
    re.DOTALL,
)
_BASE = re.compile(r"^([0-9A-Fa-f]+)_\{?([0-9]+)\}?$")
_LETTER = re.compile(r"^\(?([A-J])\)?$")
_LETTER_GIVEN = re.compile(r"^(?:[Oo]ption |[Cc]hoice )?\(?([A-J])(?:\)|[.:]|$)[.:]?(?P<rest>\s.*)?$", re.DOTALL)

_MULTIPLIERS = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12}
# Words that change what a number says, so that what follows it is no unit.
_NOT_UNITS = frozenset(
    "or and to times more less than least most over under minus plus half halves third thirds quarter quarters "
    "tenths hundredths thousandths pi e i squared cubed not but if so is are was of about per_cent the".split()
)
_UNIT = re.compile(r"^(?:[^\W\d_]+(?:/[^\W\d_]+)?(?:\^\{?[0-9]\}?)?|[%°$€£])$")
_POWERS = {"square": "^2", "sq": "^2", "cubic": "^3"}
_SAME_UNIT = {
    "centimeter": "cm", "centimetre": "cm", "meter": "m", "metre": "m", "kilometer": "km", "kilometre": "km",
    "millimeter": "mm", "inch": "in", "inche": "in", "foot": "ft", "feet": "ft", "yard": "yd", "mile": "mi",
    "hour": "h", "hr": "h", "minute": "min", "second": "s", "sec": "s", "kilogram": "kg", "gram": "g",
    "liter": "l", "litre": "l", "degree": "°", "percent": "%", "dollar": "$", "usd": "$", "euro": "€", "pound": "£",
}  # fmt: skip


class Found(NamedTuple):
    """The answer of a response; None where it gives none, with `problem` saying why."""

    answer: str | None
    problem: str


class Quantity(NamedTuple):
    """An exact value and its unit in short form, "" without one."""

    value: Fraction
    unit: str


def find(text: str, *, max_chars: int) -> Found:
    """After the reasoning, inside the last `<answer>`: the last balanced box, else all of the answer tag."""
    answer = split_reasoning(text).answer
    _, tag, rest = answer.rpartition(ANSWER_OPEN)
    region = rest.partition(ANSWER_CLOSE)[0] if tag else answer
    found = boxed(region[-TAIL:])
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
    """An answer without what only typesets it: delimiters, spacing commands, bold stars, the final period."""
    text = _LEAD_IN.sub("", answer.strip().strip("*").strip())
    text = text.replace("\\$", "$").replace("\\%", "%").replace("{,}", ",").replace("−", "-")
    for opening, closing in (("$$", "$$"), ("\\(", "\\)"), ("\\[", "\\]"), ("$", "$")):
        if text.startswith(opening) and text.endswith(closing) and len(text) >= 2 * len(opening) + 1:
            text = text[len(opening) : -len(closing)]
    text = _SPACING.sub(" ", text)
    text = re.sub(r"\\[dt]frac(?![a-zA-Z])", r"\\frac", text)
    text = re.sub(r"\^\s*\{?\s*\\circ\s*\}?|\\degree(?![a-zA-Z])", "°", text)
    text = re.sub(r"(?<=[0-9]),\s+(?=[0-9]{3}\b)", ",", text) if "\\!" in answer else text
    return " ".join(text.split()).rstrip(".").strip()


def plain(answer: str) -> str:
    """The form in which two answers are equal as strings: tidied, words bare, blanks only between digits."""
    return re.sub(r"(?<![0-9])\s+|\s+(?![0-9])", "", _WORDS.sub(r"\1", tidy(answer)))


def quantity(answer: str) -> Quantity | None:
    """A number with an optional unit, exact; None for anything that is more than that."""
    text = tidy(answer)
    match = _NUMBER.match(_WORDS.sub(r" \1", text))
    if match is None or (match["sign"] and match["inner"]):
        return None
    value = _value(match)
    unit = _unit(match["unit"], currency=match["currency"], worded=bool(_WORDS.search(text)))
    if value is None or unit is None:
        return None
    sign = -1 if "-" in (match["sign"], match["inner"]) else 1
    return Quantity(sign * value * unit[0], unit[1])


def _value(match: re.Match[str]) -> Fraction | None:
    group = {name: text.replace(",", "") for name, text in match.groupdict().items() if text is not None}
    if any(len(text) > 1000 for text in group.values()):
        return None  # int() refuses more than 4,300 digits
    if "decimal" in group:
        exponent = int(group.get("e") or group.get("power") or 0)
        return Fraction(group["decimal"].rstrip(".") or "0") * Fraction(10) ** exponent
    if "a" in group:
        whole, numerator, denominator = group.get("mixed", "0"), group["a"], group["b"]
    else:
        whole = group.get("whole", "0")
        numerator, denominator = group.get("n") or group["n1"], group.get("d") or group["d1"]
    return int(whole) + Fraction(int(numerator), int(denominator)) if int(denominator) else None


def _unit(text: str, *, currency: str, worded: bool) -> tuple[int, str] | None:
    """A multiplier ("million") and a unit in short form; None where the rest of the text is no unit."""
    if text[:1].isalpha() or text[:1] == "\\":
        return None  # "2x", "5i" and "7\\pi" are terms, not quantities
    words = text.strip().lower().rstrip(".").split()
    factor = 1
    while words and words[0] in _MULTIPLIERS:
        factor *= _MULTIPLIERS[words.pop(0)]
    if len(words) > 4 or any(word in _NOT_UNITS or not _UNIT.match(word) for word in words):
        return None
    if not worded and [len(word) for word in words if word.isalpha()] == [1]:
        return None  # "10 m" outside of \\text{} is a product
    return factor, _short(words) or currency


def _short(words: list[str]) -> str:
    """Units in one form: "square inches", "inches^2" and "in^2" are the same."""
    short: list[str] = []
    power = ""
    for word in words:
        if word in _POWERS:
            power = _POWERS[word]
            continue
        name, _, raised = word.partition("^")
        single = name.removesuffix("s")
        short.append(_SAME_UNIT.get(single, single) + (f"^{raised.strip('{}')}" if raised else power))
        power = ""
    return " ".join(short)


def decide(reference: str, answer: str) -> bool | None:
    """Whether an answer equals the reference, where rules can tell; None where they cannot."""
    wanted, given = plain(reference), plain(answer)
    if wanted == given:
        return True
    if letter := _LETTER.match(wanted):
        found = _LETTER_GIVEN.match(_WORDS.sub(r"\1", tidy(answer)))
        return found is not None and found[1] == letter[1] and not re.search(r"\b[A-J]\b", found["rest"] or "")
    if "_" in wanted + given and (_BASE.match(wanted) or _BASE.match(given)):
        return _same_in_base(wanted, given)
    if (want := quantity(reference)) and (got := quantity(re.sub(r"^[a-zA-Z]\s*=", "", tidy(answer)))):
        # math-verify ignores units and takes 50% for both 50 and 0.5.
        return want.value == got.value and (not want.unit or not got.unit or want.unit == got.unit)
    if re.fullmatch(r"[^\W\d_]{4,}", wanted) or ("\\text" in reference and wanted.isalpha()):
        return wanted.casefold() == given.casefold()
    if "%" in wanted + given or is_prose(answer):
        return False
    return None


def _same_in_base(wanted: str, given: str) -> bool | None:
    """Digits with a base: the reference's base may be left out, but none may be added or changed."""
    want, got = _BASE.match(wanted), _BASE.match(given)
    if want is None:
        return None if re.search(r"[a-zA-Z]", wanted) else False
    return want[1].lower() == (got[1] if got else given).lower() and (got is None or want[2] == got[2])


def is_prose(answer: str) -> bool:
    """Whether an answer is sentences: a computer algebra system reads their letters as variables."""
    bare = _WORDS.sub(" ", tidy(answer))
    return len(re.findall(r"(?<![\\a-zA-Z])(?!and\b|for\b|all\b|not\b|mod\b|sin|cos|tan|log|pi\b)[a-zA-Z]{3,}", bare)) >= 2
