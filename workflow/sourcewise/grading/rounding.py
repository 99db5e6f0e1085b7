"""Whether two different numbers may be one number, rounded or in another unit: for a judge to tell."""

from __future__ import annotations

import re
from fractions import Fraction

from sourcewise.grading.quantities import quantity
from sourcewise.grading.tidy import tidy

_MANTISSA = re.compile(r"[0-9][0-9,]*(?:\.[0-9]*)?|\.[0-9]+")
_FRACTION = re.compile(r"\\frac|[0-9]\s*/\s*[0-9]")


def certainly_differ(reference: str, answer: str) -> bool:
    """Whether both are numbers in the same unit, or without one, that no rounding makes equal.

    Numbers that lie less than one step of the coarser one's last significant digit apart may be rounded
    or cut: 9.8 and 9.81, 1/3 and 0.333, 300,000 and 299,792, but not 3 and 4. Zeros that end a whole
    number are not significant. A unit that only one of them has, percent among them, may be understood.
    """
    texts = tidy(reference), tidy(answer)
    wanted, given = quantity(texts[0]), quantity(texts[1])
    if wanted is None or given is None or wanted.unit != given.unit:
        return False
    coarser = max(_step(texts[0], wanted.value), _step(texts[1], given.value))
    return wanted.value != given.value and abs(wanted.value - given.value) >= coarser


def _step(text: str, value: Fraction) -> Fraction:
    """What one step of the last significant digit is worth; 0 for a fraction, which is exact."""
    found = _MANTISSA.search(text)
    if found is None or _FRACTION.search(text):
        return Fraction(0)
    digits = found.group().replace(",", "")
    whole, _, decimals = digits.partition(".")
    mantissa = Fraction(digits.rstrip("."))
    scale = abs(value / mantissa) if mantissa else Fraction(1)
    zeros = len(whole) - len(whole.rstrip("0")) if mantissa and not decimals else 0
    return scale * Fraction(10) ** (zeros - len(decimals))
