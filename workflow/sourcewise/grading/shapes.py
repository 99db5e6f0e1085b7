r"""Sets, intervals, tuples and vectors as text: "x < 1 or x > 2" is "(-\infty,1) \cup (2,\infty)"."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from sourcewise.grading.tidy import WORDS, plain

MAX_UNORDERED = 30  # values of a set or list, each of which is compared with each
Equal = Callable[[str, str], bool | None]

_RELATION = re.compile(r"(<|>|\\le(?![a-zA-Z])|\\ge(?![a-zA-Z]))")
_BOUNDS = {"<": "()", "\\le": "[]", ">": "()", "\\ge": "[]"}
_VARIABLE = re.compile(r"^(?:[a-zA-Z]|\\[a-z]+)$")
_MEMBER = re.compile(r"^([a-zA-Z])\s*\\in(?![a-zA-Z])\s*(.+)$", re.DOTALL)
_ASSIGNED = re.compile(r"^([a-zA-Z])=(.+)$", re.DOTALL)
_MATRIX = re.compile(r"^\\begin\{([pb])matrix\}(.*)\\end\{\1matrix\}$", re.DOTALL)
_SET = re.compile(r"\\(?:cup|cap|mathbb|emptyset|infty)(?![a-zA-Z])|\\\{|^[(\[]")
_NAME = re.compile(
    r"^(?P<name>[a-zA-Z](?:_\{?[0-9a-zA-Z]\}?)?(?:\([a-zA-Z]\))?|\\text\{\s*[a-zA-Z]+\s*\}|\\[a-z]+)"
    r"\s*=\s*(?P<value>.+)$",
    re.DOTALL,
)
_SEVERAL = re.compile(r",|\bor\b|\band\b")
_EMPTY = re.compile(
    r"^(?:\\emptyset|\\\{\\\}|\{\}|no ?solutions?|the ?empty ?set|empty ?set)$", re.I
)


class Region(NamedTuple):
    """The values that a variable may take, as LaTeX writes a set."""

    variable: str
    values: str


class Row(NamedTuple):
    """Several values: `brackets` are "()", "[)" and so on, "{}" for a set, "" for a bare list."""

    brackets: str
    values: list[str]


class Pair(NamedTuple):
    """A reference and an answer, written alike as far as rules can tell."""

    wanted: str
    given: str


def aligned(wanted: str, given: str) -> Pair:
    """Two tidy answers without "x =" where one lacks it, as sets where one is, as tuples where one is."""
    first, second = _NAME.match(wanted), _NAME.match(given)
    if first and ("=" not in given or (second and first["name"] == second["name"])):
        wanted = first["value"]
    several = second and "=" in second["value"] and _SEVERAL.search(second["value"])
    if second and "=" not in wanted and not several:
        given = second["value"]
    one, other = region(wanted), region(given)
    if one and (_SET.search(given) if other is None else one.variable == other.variable):
        wanted = one.values
    if other and (_SET.search(wanted) if one is None else one.variable == other.variable):
        given = other.values
    one_row, other_row = vector(wanted), vector(given)
    if one_row and (other_row or given.startswith("(")):
        wanted = one_row
    if other_row and (one_row or wanted.startswith("(")):
        given = other_row
    return Pair(wanted, given)


def is_empty(text: str) -> bool:
    """Whether a tidy answer says that there is nothing, in signs or in words."""
    return _EMPTY.match(plain(text)) is not None


def region(text: str) -> Region | None:
    """What inequalities in one variable, joined by "or", or a membership say; None for anything else."""
    if member := _MEMBER.match(text):
        return Region(member[1], member[2])
    if not _RELATION.search(text):
        return None
    clauses = re.split(r"\bor\b", WORDS.sub(r" \1 ", text))
    regions = [_interval(_RELATION.split(clause)) for clause in clauses]
    found = [one for one in regions if one is not None]
    if len(found) < len(clauses) or len({one.variable for one in found}) > 1:
        return None
    return Region(found[0].variable, " \\cup ".join(one.values for one in found))


def _interval(tokens: list[str]) -> Region | None:
    """One clause, such as a ≤ x < b, cut at its signs."""
    terms, signs = [token.strip() for token in tokens[::2]], [sign.strip() for sign in tokens[1::2]]
    if not all(terms) or len({sign in (">", "\\ge") for sign in signs}) != 1:
        return None
    if signs[0] in (">", "\\ge"):
        terms, signs = terms[::-1], signs[::-1]
    closing = [_BOUNDS[sign] for sign in signs]
    if len(terms) == 3 and _VARIABLE.match(terms[1]):
        return Region(terms[1], f"{closing[0][0]}{terms[0]},{terms[2]}{closing[1][1]}")
    if len(terms) != 2:
        return None
    if _VARIABLE.match(terms[0]) and not _VARIABLE.match(terms[1]):
        return Region(terms[0], f"(-\\infty,{terms[1]}{closing[0][1]}")
    if _VARIABLE.match(terms[1]) and not _VARIABLE.match(terms[0]):
        return Region(terms[1], f"{closing[0][0]}{terms[0]},\\infty)")
    return None


def vector(text: str) -> str | None:
    r"""A matrix of one row or one column as a tuple, None for anything else."""
    matrix = _MATRIX.match(text)
    if matrix is None:
        return None
    rows = [row for row in re.split(r"\\\\", matrix[2]) if row.strip()]
    cells = rows if len(rows) > 1 else rows[0].split("&") if rows else []
    if len(cells) < 2 or any("&" in cell for cell in cells):
        return None
    return f"({','.join(cell.strip() for cell in cells)})"


def row(text: str) -> Row | None:
    """The values of a tuple, interval, set or list of two or more; None for anything else."""
    brackets, inside = "", text
    for opening, closing in (("\\{", "\\}"), ("(", ")"), ("[", "]"), ("(", "]"), ("[", ")")):
        if text.startswith(opening) and text.endswith(closing):
            brackets = opening[-1] + closing[-1]
            inside = text[len(opening) : -len(closing)]
            break
    inside = re.sub(r"\b(?:and|or)\b", ",", WORDS.sub(r" \1 ", inside))
    values = split(inside)
    if values is None and brackets and brackets != "{}":
        brackets, values = "", split(text)  # "(1,2),(3,4)" is a list of tuples
    return None if values is None or len(values) < 2 else Row(brackets, values)


def split(text: str) -> list[str] | None:
    """The parts between the commas outside of brackets; None where the brackets do not fit."""
    parts, depth, start = [], 0, 0
    for place, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if depth < 0:
            return None
        if sign == "," and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    parts.append(text[start:].strip())
    return [part for part in parts if part] if depth == 0 else None


def same_row(wanted: Row, given: Row, equal: Equal) -> bool | None:
    """Whether values agree, in order between brackets, in any order in sets and lists.

    None where `equal` cannot tell, or where brackets differ in more than the braces of a set.
    """
    if wanted.brackets in ("", "{}"):
        return _same_bag(wanted, given, equal) if given.brackets in ("", "{}") else None
    given = _by_name(given)
    if given.brackets != wanted.brackets:
        return None
    verdicts = [equal(a, b) for a, b in zip(wanted.values, given.values, strict=False)]
    if len(wanted.values) != len(given.values) or False in verdicts:
        return False
    return None if None in verdicts else True


def _by_name(given: Row) -> Row:
    """A list such as y=4, x=3 as the tuple (3,4); anything else as it is."""
    named = [_ASSIGNED.match(value.replace(" ", "")) for value in given.values]
    names = {match[1] for match in named if match}
    if given.brackets or len(names) < len(given.values):
        return given
    pairs = sorted((match[1], match[2]) for match in named if match)
    return Row("()", [value for _, value in pairs])


def _same_bag(wanted: Row, given: Row, equal: Equal) -> bool | None:
    if max(len(wanted.values), len(given.values)) > MAX_UNORDERED:
        return None
    left, unknown = list(given.values), False
    for value in wanted.values:
        verdicts = [equal(value, other) for other in left]
        unknown = unknown or None in verdicts
        if True in verdicts:
            left.pop(verdicts.index(True))
        elif None not in verdicts:
            return False
    if len(wanted.values) != len(given.values):
        return None if unknown or "{}" in (wanted.brackets, given.brackets) else False
    return None if unknown and left else True
