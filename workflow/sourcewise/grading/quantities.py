r"""Numbers with units as people and LaTeX write them, read exactly: "$1,600", "3/4", "1\frac45 \text{ cm}"."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from sourcewise.grading.tidy import WORDS

MAX_DIGITS = 4000  # int() refuses more than 4,300

_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
_NUMBER = re.compile(
    rf"""^(?P<sign>[+-]?)\s*(?P<currency>[$£€]?)\s*(?P<inner>-?)(?:
    (?P<whole>[0-9]+)?\s*\\frac\s*(?:\{{\s*(?P<n>-?[0-9]+)\s*\}}|(?P<n1>[0-9]))\s*
        (?:\{{\s*(?P<d>[0-9]+)\s*\}}|(?P<d1>[0-9]))
    |(?:(?P<mixed>[0-9]+)\s+)?(?P<a>{_DIGITS})\s*/\s*(?P<b>{_DIGITS})
    |(?P<decimal>{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)
        (?:[eE](?P<e>[+-]?[0-9]{{1,3}})
        |\s*(?:\\times|\\cdot|×|\*)\s*10\^\{{?(?P<power>-?[0-9]{{1,3}})\}}?)?
    )(?P<unit>.*)$""",
    re.DOTALL | re.VERBOSE,
)
_MULTIPLIERS = {
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "lakh": 10**5,
    "crore": 10**7,
    "dozen": 12,
}
# Words that change what a number says, so that what follows it is no unit.
_NOT_UNITS = re.compile(
    r"(?:a|about|above|all|and|any|approximately|are|base|below|binary|both|but|correct|cubed|decimal|e"
    r"|either|except|factorial|false|half|halves|hexadecimal|i|if|impossible|incorrect|inverse|invalid"
    r"|is|k|least|less|maybe|mil|millones|minus|mln|mn|bn|more|most|negative|neither|never|no|none|not|octal|of|only|or|over"
    r"|perhaps|pi|plus|possibly|quarters?|reciprocal|repeating|root|so|squared|than|the|times|to|true"
    r"|under|unknown|unless|versus|vs|was|wrong"
    r"|(?:thir|four|fif|six|seven|eigh|nin|ten|hundred|thousand|million|billion)(?:d|th)s?)"
)
_UNIT = re.compile(r"^(?:[^\W\d_]+(?:/[^\W\d_]+)?(?:\^\{?[0-9]\}?)?|[%°$€£])$")
# Units that people write without \\text, "5 m", where the reference leaves no doubt that it is one.
_LETTERS = frozenset("mgshlnjwvkcf")
_REPEATING = re.compile(r"^([+-]?)([0-9]*)\.([0-9]*)\\overline\s*\{?([0-9]+)\}?$")
_POWERS = {"square": "^2", "sq": "^2", "cubic": "^3"}
_SHORT = {
    "centimeter": "cm",
    "centimetre": "cm",
    "degree": "°",
    "dollar": "$",
    "euro": "€",
    "feet": "ft",
    "foot": "ft",
    "gram": "g",
    "hour": "h",
    "hr": "h",
    "inch": "in",
    "inche": "in",
    "kilogram": "kg",
    "kilometer": "km",
    "kilometre": "km",
    "liter": "l",
    "litre": "l",
    "meter": "m",
    "metre": "m",
    "mile": "mi",
    "millimeter": "mm",
    "minute": "min",
    "percent": "%",
    "second": "s",
    "yard": "yd",
}


_KNOWN = frozenset(_SHORT) | frozenset(_SHORT.values()) | frozenset({"mm", "ml", "mg", "mph"})


class Quantity(NamedTuple):
    """An exact value and its unit in short form, "" without one."""

    value: Fraction
    unit: str


def quantity(text: str, *, loose: bool = False) -> Quantity | None:
    """A number with an optional unit; None for anything that is more than that.

    `loose` reads "10 m" as ten metres, which by itself may be a product.
    """
    if repeating := _REPEATING.match(text):
        return _repeating(*repeating.groups())
    match = _NUMBER.match(WORDS.sub(r" \1", text))
    if match is None or (match["sign"] and match["inner"]):
        return None
    value = _value(match)
    worded = WORDS.search(text) is not None
    unit = _unit(match["unit"], currency=match["currency"], worded=worded, loose=loose)
    if value is None or unit is None:
        return None
    sign = -1 if "-" in (match["sign"], match["inner"]) else 1
    return Quantity(sign * value * unit[0], unit[1])


def same(wanted: Quantity, given: Quantity) -> bool:
    """Equal values, and equal units where both have one: 50% is neither 0.5 nor 50 cm.

    A percent sign is a unit that may be added to 50 but not to 0.5, which would be another number.
    """
    units_agree = not wanted.unit or not given.unit or wanted.unit == given.unit
    if given.unit == "%" != wanted.unit and 0 < abs(wanted.value) <= 1:
        return False
    return wanted.value == given.value and units_agree


def _repeating(sign: str, whole: str, once: str, period: str) -> Quantity | None:
    r"""The value of 0.1\overline{36}."""
    if len(whole + once + period) > MAX_DIGITS:
        return None
    value = Fraction(int(whole or 0)) + Fraction(int(once or 0), 10 ** len(once))
    value += Fraction(int(period), (10 ** len(period) - 1) * 10 ** len(once))
    return Quantity(-value if sign == "-" else value, "")


def _value(match: re.Match[str]) -> Fraction | None:
    part = {name: text.replace(",", "") for name, text in match.groupdict().items() if text}
    if any(len(text) > MAX_DIGITS for name, text in part.items() if name != "unit"):
        return None
    if "decimal" in part:
        exponent = int(part.get("e") or part.get("power") or 0)
        return Fraction(part["decimal"].rstrip(".")) * Fraction(10) ** exponent
    if "a" in part:
        whole, numerator, denominator = part.get("mixed", "0"), part["a"], part["b"]
    else:
        whole = part.get("whole", "0")
        numerator = part.get("n") or part["n1"]
        denominator = part.get("d") or part["d1"]
    if int(denominator) == 0:
        return None
    return int(whole) + Fraction(int(numerator), int(denominator))


def _unit(text: str, *, currency: str, worded: bool, loose: bool) -> tuple[int, str] | None:
    """A multiplier ("million") and a unit in short form; None where the rest of the text is no unit."""
    words = text.strip().lower().rstrip(".").split()
    if text[:1] == "\\" or (text[:1].isalpha() and not (loose and words[0] in _KNOWN)):
        return None  # "2x", "5i" and "7\pi" are terms, not quantities
    factor = 1
    while words and words[0].removesuffix("s") in _MULTIPLIERS:
        factor *= _MULTIPLIERS[words.pop(0).removesuffix("s")]
    # Superscripts, fractions and the numerals of other scripts are letters to a regular expression.
    if any(sign.isnumeric() and not sign.isascii() for sign in text):
        return None
    if len(words) > 4 or any(_NOT_UNITS.fullmatch(word) or not _UNIT.match(word) for word in words):
        return None
    letters = [word for word in words if len(word) == 1 and word.isalpha()]
    if letters and not worded and not (loose and words == letters[:1] and words[0] in _LETTERS):
        return None  # "10 m" outside of \text{} is a product
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
        raised = f"^{raised.strip('{}')}" if raised else power
        short.append(_SHORT.get(single, single) + raised)
        power = ""
    return " ".join(short)
