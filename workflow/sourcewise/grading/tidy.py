r"""One way of writing for what only typesetting tells apart: "\dfrac{1}{2}" and "$\frac{1}{2}$."."""

from __future__ import annotations

import functools
import re

WORDS = re.compile(
    r"\\(?:text|mbox|textbf|textit|mathrm|mathbf|textrm|textnormal|operatorname)\s*\{([^{}]*)\}"
)
_SPACING = re.compile(
    r"\\(?:left|right|big|Big|bigg|Bigg|displaystyle|limits|quad|qquad)(?![a-zA-Z])|(?<!\\)\\[!,;:> ]|~"
)
_LEAD_IN = re.compile(
    r"^(?:so |thus |hence |therefore )?,?\s*(?:the )?(?:final )?answer(?: is\b|\s*[:=])\s*:?\s*",
    re.IGNORECASE,
)
_DELIMITERS = (("$$", "$$"), ("\\(", "\\)"), ("\\[", "\\]"), ("$", "$"))
# LaTeX's ways to set thousands apart: 10,\!080 and 10\,080 and 10{,}080.
_THOUSANDS = re.compile(r"(?<![0-9.,])[0-9]{1,3}(?:(?:,\\!\s*|\\,|\{,\})[0-9]{3})+(?![0-9])")
_CIRCLE = re.compile(r"\^\s*\{?\s*\\circ\s*\}?|\\degree(?![a-zA-Z])")
_SYNONYMS = {
    "dfrac": "frac",
    "tfrac": "frac",
    "cfrac": "frac",
    "dbinom": "binom",
    "tbinom": "binom",
    "leq": "le",
    "leqslant": "le",
    "geq": "ge",
    "geqslant": "ge",
    "neq": "ne",
    "lt": "<",
    "gt": ">",
    "varnothing": "emptyset",
    "lbrace": "{",
    "rbrace": "}",
    "land": "text{ and }",
    "lor": "text{ or }",
}
_SYNONYM = re.compile(rf"\\({'|'.join(_SYNONYMS)})(?![a-zA-Z])")
# Signs, never digits: a digit of another script is not the digit that it looks like.
_SIGNS = {
    "−": "-", "–": "-", "×": r"\times ", "⋅": r"\cdot ", "·": r"\cdot ", "÷": r"\div ",
    "±": r"\pm ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "≈": r"\approx ", "∈": r"\in ",
    "∪": r"\cup ", "∩": r"\cap ", "∅": r"\emptyset ", "∞": r"\infty ", "ℝ": r"\mathbb{R}",
    "π": r"\pi ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ", "λ": r"\lambda ",
    "²": "^2", "³": "^3", "½": r"\frac12", "¼": r"\frac14", "¾": r"\frac34",
}  # fmt: skip
_TRANSLATION = str.maketrans(_SIGNS)


@functools.lru_cache(maxsize=1024)
def tidy(answer: str) -> str:
    """An answer without what only typesets it: delimiters, spacing, bold stars, the final period."""
    text = _LEAD_IN.sub("", answer.strip().strip("*").strip())
    if not text.isascii():
        text = re.sub(r"√\s*([0-9]+|[a-z])", r"\\sqrt{\1}", text).translate(_TRANSLATION)
    for opening, closing in _DELIMITERS:
        enclosed = text.startswith(opening) and text.endswith(closing)
        if enclosed and len(text) > 2 * len(opening):
            text = text[len(opening) : -len(closing)]
    if "\\" in text or "{" in text:
        text = _untypeset(text)
    return " ".join(text.split()).rstrip(".").strip()


def _untypeset(text: str) -> str:
    text = text.replace("\\$", "$").replace("\\%", "%")
    text = _THOUSANDS.sub(lambda number: re.sub(r"[^0-9]", "", number.group()), text)
    text = text.replace("{,}", ",")
    text = _SPACING.sub(" ", text)
    text = _SYNONYM.sub(lambda command: _command(_SYNONYMS[command[1]]), text)
    return _CIRCLE.sub("°", text)


def _command(name: str) -> str:
    return name if name in "<>" else "\\" + name


def plain(answer: str) -> str:
    """The form in which equal answers are equal strings: tidied, words bare, blanks between digits only."""
    return re.sub(r"(?<![0-9])\s+|\s+(?![0-9])", "", WORDS.sub(r"\1", tidy(answer)))
