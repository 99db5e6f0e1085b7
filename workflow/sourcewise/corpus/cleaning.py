"""Reasons to drop a query, one function each (paper §2.1, step 2).

The paper names the reasons and leaves patterns and thresholds open; what counts is written here.
Each function takes the text of a query's user turns and returns the value that decided, or None.

Most texts hold no sign of a reason: one search by RE2 through a column of texts, a microsecond each, says
which hold one, and only these are looked at closely. A sign may stand in too many texts, never in too few.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from sourcewise.drop import Drop
from sourcewise.params.queries import Clean
from sourcewise.text import normalise

URL_SIGN = r"://|(?i:www\.)"
URL = re.compile(r"\b(?:https?|ftp)://\S+|\bwww\.[a-z0-9-]+\.[a-z]{2,}\S*", re.IGNORECASE)

# A sign that each table has, and its pattern. Blanks are `[ \t]`, not `\s`: a flood of empty lines must
# not make a search quadratic.
TABLE_SIGN = r"--|\||<|\\begin|\t|\+"
TABLES = {
    "markdown": (
        "--",
        re.compile(
            r"^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)+\|?[ \t\r]*$", re.MULTILINE
        ),
    ),
    "pipes": (
        "|",
        re.compile(r"(?:^[ \t]*\|(?:[^|\n]*\|){2,}[ \t\r]*(?:\n|\Z)){2,}", re.MULTILINE),
    ),
    "html": ("<", re.compile(r"<\s*(?:table|tr|td|th)\b[^<>]*>", re.IGNORECASE)),
    "latex": (
        r"\begin",
        re.compile(
            r"\\begin\{(?:tabular[xy*]?|longtable|table\*?)\}"
            r"|\\begin\{array\}(?:(?!\\(?:begin|end)\{array\}).)*\\hline",
            re.DOTALL,
        ),
    ),
    # Two rows of three cells or three rows of two; a stray tab in running text is none.
    "tabs": (
        "\t",
        re.compile(
            r"(?:^[^\t\n]*\S(?:\t+[^\t\n]*\S){2,}[ \r]*(?:\n|\Z)){2,}"
            r"|(?:^[^\t\n]*\S\t+[^\t\n]*\S[ \r]*(?:\n|\Z)){3,}",
            re.MULTILINE,
        ),
    ),
    "rules": ("+", re.compile(r"^[ \t]*\+(?:[-=]{2,}\+){2,}[ \t\r]*$", re.MULTILINE)),
}

# Symbols of mathematics and typography that Unicode files under "other symbol".
USEFUL_SYMBOLS = frozenset("°©®™№℃℉♠♡♢♣✓✗") | {
    chr(code)
    for first, last in ((0x2190, 0x21FF), (0x2300, 0x23FF), (0x25A0, 0x25FF), (0x27C0, 0x2BFF))
    for code in range(first, last + 1)
}
ODD_SIGN = r"[^\t\n\r -~]"
LAYOUT = frozenset("\n\r\t\u200c\u200d\ufeff\ufe0f")

# The odd ones among the characters of ASCII.
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

# UTF-8 read as Latin-1 or Windows-1252: the bytes of one character as letters and signs.
MOJIBAKE = re.compile(
    "[\u00c2-\u00f4][\u0080-\u00bf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039"
    "\u0152\u017d\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178]+"
)

# Words that no sentence ends with. Prepositions can stand last ("what is it made of"), "a" can be a
# variable.
OPEN_WORDS = "and|or|but|nor|the|an|because|although|whereas|whose|unless"
CUT = re.compile(rf"(?:…|(?<!\.)\.\.\.|[,(\[{{]|\b(?:{OPEN_WORDS}))$", re.IGNORECASE)
# Enough for the longest of them and the character before it.
LONGEST_CUT = 32
# "1. apples\n2. ..." shows the form of a list; nothing was cut.
OPEN_LIST = re.compile(r"^\s*(?:[*•-]|\d+[.)])?\s*(?:…|\.\.\.)$")
NOTHING_FOLLOWS = re.compile(r"\b(?:following|below)\b[^.!?\n]*:$", re.IGNORECASE)
FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
# White space is what `str.rstrip` takes away.
INCOMPLETE_SIGN = (
    rf"(?i)(?:…|\.\.\.|[,(\[{{:]|{OPEN_WORDS})[\t-\r\x1c-\x1f\x85\pZ]*$|```|~~~|\\(?:begin|end)\{{"
)
FIGURES = (
    "figure",
    "diagram",
    "picture",
    "image",
    "graph",
    "chart",
    "photo",
    "drawing",
    "illustration",
)
FIGURE_SIGN = rf"(?i){'|'.join(FIGURES)}|!\[|<"
FIGURE_WORDS = f"(?:{'|'.join(FIGURES)})"
FIGURE = re.compile(
    rf"\b(?:shown|depicted|pictured|illustrated|seen|given)\s+(?:in|by)\s+(?:the\s+)?{FIGURE_WORDS}\b"
    rf"|\b(?:the\s+)?{FIGURE_WORDS}\s+(?:\d+\s+)?(?:is\s+|as\s+)?(?:shown\s+)?(?:below|above)\b"
    rf"|!\[[^\[\]]*\]\(|<\s*im(?:g|age)\b",
    re.IGNORECASE,
)
DRAWN = re.compile(r"\[asy\]|\\begin\{(?:tikzpicture|asy|picture)\}|<svg\b", re.IGNORECASE)


class Reason(NamedTuple):
    """A reason's name, the sign of texts that may have it, and what finds it in one."""

    name: str
    sign: str
    find: Callable[[str], str | None]


def drops(texts: pa.StringArray, clean: Clean) -> dict[int, Drop]:
    """The first reason to drop a query, by the places of those that have one; `texts` are their user turns."""
    found = {place: drop for place, drop in _lengths(texts, clean) if drop is not None}
    for reason in reasons(clean):
        for place in _places(pc.match_substring_regex(texts, reason.sign)):
            if place not in found and (value := reason.find(texts[place].as_py())) is not None:
                found[place] = Drop(reason.name, value)
    return found


def reasons(clean: Clean) -> Iterator[Reason]:
    """The reasons that are asked for, in the order in which they are given."""
    odd = functools.partial(odd_characters, most=clean.max_odd_character_ratio)
    yield Reason("odd_characters", ODD_SIGN, odd)
    if clean.drop_urls:
        yield Reason("url", URL_SIGN, url)
    if clean.drop_tables:
        yield Reason("table", TABLE_SIGN, table)
    if clean.drop_incomplete:
        yield Reason("incomplete", INCOMPLETE_SIGN, incomplete)
        yield Reason("missing_figure", FIGURE_SIGN, missing_figure)


def _places(mask: pa.BooleanArray) -> list[int]:
    return pc.indices_nonzero(mask).to_pylist()


# White space that folds, or characters that compose: without them a text is as long as its normal form,
# a blank at either end aside.
FOLDS_SIGN = r"[\t-\r\x1c- ]{2}|[^\x00-\x7f]"


def _lengths(texts: pa.StringArray, clean: Clean) -> Iterator[tuple[int, Drop | None]]:
    long = pc.utf8_length(texts)
    unusual = pc.or_(pc.less(long, clean.min_chars + 2), pc.greater(long, clean.max_chars))
    for place in _places(pc.or_(unusual, pc.match_substring_regex(texts, FOLDS_SIGN))):
        yield place, length(texts[place].as_py(), clean.min_chars, clean.max_chars)


def length(text: str, least: int, most: int) -> Drop | None:
    """Whether the normalised text is empty, shorter or longer than wanted, in characters."""
    n = len(normalise(text))
    if n == 0:
        return Drop("empty", "0")
    if n < least:
        return Drop("too_short", str(n))
    return Drop("too_long", str(n)) if n > most else None


def odd_characters(text: str, *, most: float) -> str | None:
    """A share of odd characters above `most`."""
    ratio = odd_character_ratio(text)
    return f"{ratio:.3f}" if ratio > most else None


def odd_character_ratio(text: str) -> float:
    """The share of characters that belong to no script, punctuation, number or mathematics.

    Letters and signs of every script count as text, so that Chinese or Hindi stay; odd are control
    and private-use characters, replacement characters, pictographs and the pieces of text that was
    decoded with the wrong encoding.
    """
    if text.isascii():
        return len(CONTROLS.findall(text)) / len(text) if text else 0.0
    odd = sum(_is_odd(letter) for letter in text if not " " <= letter <= "~")
    odd += sum(len(piece) for piece in MOJIBAKE.findall(text) if _is_utf8(piece))
    return min(odd / len(text), 1.0)


def _is_odd(letter: str) -> bool:
    if letter in LAYOUT or letter in USEFUL_SYMBOLS:
        return False
    category = unicodedata.category(letter)
    return category[0] == "C" or category in ("So", "Sk")


def _is_utf8(piece: str) -> bool:
    """Whether the characters, as the bytes they were read from, begin a valid UTF-8 character."""
    try:
        raw = bytes(ord(c) if ord(c) < 256 else c.encode("cp1252")[0] for c in piece)
    except UnicodeEncodeError:
        return False
    length = 2 if raw[0] < 0xE0 else 3 if raw[0] < 0xF0 else 4
    try:
        raw[:length].decode()
    except UnicodeDecodeError:
        return False
    return True


def url(text: str) -> str | None:
    """A web address in the text."""
    found = URL.search(text)
    return found.group()[:200] if found else None


def table(text: str) -> str | None:
    """The kind of a table in the text: Markdown, HTML, LaTeX, tab-separated or drawn with lines."""
    for kind, (sign, pattern) in TABLES.items():
        if sign in text and pattern.search(text):
            return kind
    return None


def incomplete(text: str) -> str | None:
    """What shows that the text was cut: how it ends, or a block that never closes."""
    end = text.rstrip()
    last_line = end.rpartition("\n")[2]
    if (cut := CUT.search(end[-LONGEST_CUT:])) and not OPEN_LIST.match(last_line):
        return f"ends with {cut.group()!r}"
    if end.endswith(":") and NOTHING_FOLLOWS.search(last_line):
        return f"nothing follows {last_line[-60:]!r}"
    if ("```" in text or "~~~" in text) and len(FENCE.findall(text)) % 2:
        return "a code fence is not closed"
    if text.count(r"\begin{") != text.count(r"\end{"):
        return r"\begin without \end"
    return None


def missing_figure(text: str) -> str | None:
    """A figure that the text speaks of and does not bring along as a drawing in code."""
    found = FIGURE.search(text)
    return found.group()[:100] if found and not DRAWN.search(text) else None
