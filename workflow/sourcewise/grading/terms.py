r"""What computer algebra may be asked about: LaTeX all of which it reads, with no words in it.

math-verify drops what it does not know: units, bases, words, signs of other scripts. "2 \text{ is wrong}"
is its 2. So whatever is no number, sign, letter or command listed here is kept from it, and so is an
answer with letters that the reference does not have.
"""

from __future__ import annotations

import re

from sourcewise.grading.quantities import quantity
from sourcewise.grading.shapes import Pair, aligned, row
from sourcewise.grading.tidy import WORDS, tidy

MAX_DEPTH = 40  # of brackets in each other: the parser recurses

_GREEK = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi "
    "rho sigma tau phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell"
)
_COMMANDS = (
    "infty emptyset frac sqrt binom choose cdot times div ast pm mp le ge ne in cup cap setminus "
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh coth log ln lg exp max min gcd "
    "sum prod int lim to mod bmod lfloor rfloor lceil rceil lvert rvert vert mid"
)
_TOKEN = re.compile(
    rf"""[0-9]+(?:\.[0-9]+)?|\.[0-9]+|[a-zA-Z]+|[-+*/^_=<>(){{}}\[\],;:|!'&\s]|\\\\|\\[{{}}|]
    |\\(?:{"|".join(f"{_GREEK} {_COMMANDS}".split())})(?![a-zA-Z])|\\mathbb\s*\{{\s*[NZQRC]\s*\}}
    |\\(?:begin|end)\{{pmatrix\}}""",
    re.VERBOSE,
)
_OPENING, _CLOSING = ("(", "[", "{", "\\{"), (")", "]", "}", "\\}")
# "1 2" is no product, a number below a number is a base, and empty braces hide what stands beside them.
_MISREAD = re.compile(r"[0-9]\s+[0-9]|[0-9)}]\s*_|\{\s*\}")
_WORD = re.compile(r"[a-zA-Z]{4,}")
_FUNCTION = re.compile(r"(?<![\\a-zA-Z])(sin|cos|tan|cot|sec|csc|log|ln|pi)(?![a-zA-Z])")
_ROOT = re.compile(r"(?<![\\a-zA-Z])sqrt\s*\(([^()]*)\)")
_SHORT_INDEX = re.compile(r"([_^])\s*([0-9])(?=\s+[0-9])")
_SHORT_ARGUMENTS = re.compile(r"\\(frac|binom)\s*([0-9])\s*([0-9])")
_NO_LETTERS = re.compile(r"\\(?:begin|end)\{[a-z]+\}|\\mathbb\s*\{\s*[NZQRC]\s*\}")
_NAMED = re.compile(r"\\([a-zA-Z]+)")
_MATRIX = re.compile(r"(\\(?:begin|end)\{)b(?=matrix\})")
_UNIT = re.compile(
    r"^(?P<term>.*\S)\s*(?P<unit>\\(?:text|mbox|mathrm|textrm)\s*\{[^{}]*\}\s*(?:\^\{?[23]\}?)?)$",
    re.DOTALL,
)
_RELATION = re.compile(r"<|>|\\(?:le|ge|ne|in)(?![a-zA-Z])")
_SET = re.compile(r"^[(\[]|\\(?:cup|cap|setminus|emptyset|mathbb)(?![a-zA-Z])|\\\{")
_SEVERAL = re.compile(r"[,=<>&|:]|\\(?:\{|pm|mp|cup|cap|in|le|ge|ne|emptyset|mathbb)(?![a-zA-Z])")
_BINDER = re.compile(r"\\(?:sum|prod|int|lim|max|min|gcd|mod|bmod|mid|vert)(?![a-zA-Z])|\|")
_DEGREES = re.compile(r"([0-9.]+)\s*°")
ALWAYS = frozenset({"e", "i", "pi"})  # letters that are numbers


def terms(reference: str, answer: str) -> Pair | None:
    """What to compare by computer algebra; None where it could be misled."""
    wanted, given = aligned(tidy(reference), tidy(answer))
    if re.fullmatch(r"[a-zA-Z]{3,}", wanted):
        return None  # a word, whose letters must not change places
    wanted, given = _written_out(wanted), _written_out(given)
    if "\\approx" not in wanted:
        given = given.partition("\\approx")[0].strip()
    pair = _without_units(*_same_angle(wanted, given))
    if pair is None or not (readable(pair.wanted) and readable(pair.given)):
        return None
    if letters(pair.given) - letters(pair.wanted):
        return None
    return pair if _same_kind(*pair) else None


def apart(pair: Pair) -> bool:
    """Whether readable terms certainly differ: one is a tuple or an interval and the other a single term,
    or the reference varies with a letter that the answer does not have."""
    wanted, given = pair
    if _BINDER.search(wanted + given):
        return False
    several = [_SET.search(text) is not None and "," in text for text in pair]
    single = [not _SEVERAL.search(text) for text in pair]
    if (several[0] and single[1]) or (single[0] and several[1]):
        return True
    return single == [True, True] and bool(letters(wanted)) and not letters(given)


def readable(text: str) -> bool:
    """Whether computer algebra reads every sign of a text, and reads it as it is meant."""
    if not text or not text.isascii() or _MISREAD.search(text):
        return False
    depth = place = 0
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            return False
        depth += (token[0] in _OPENING) - (token[0] in _CLOSING)
        if not 0 <= depth <= MAX_DEPTH:
            return False
        place = token.end()
    return depth == 0 and not _WORD.search(_NAMED.sub(" ", _NO_LETTERS.sub(" ", text)))


def letters(text: str) -> set[str]:
    """The letters and Greek letters of a readable text that are no numbers, as e is."""
    text = _NO_LETTERS.sub(" ", text)
    greek = {name for name in _NAMED.findall(text) if name in _GREEK.split()}
    return (greek | set(re.findall("[a-zA-Z]", _NAMED.sub(" ", text)))) - ALWAYS


def _written_out(text: str) -> str:
    """Functions as LaTeX names them and fractions with braces; "and" and "or" as commas."""
    text = WORDS.sub(_bare, text)
    text = re.sub(r"\b(?:and|or)\b", ",", text)
    text = _FUNCTION.sub(r"\\\1", _ROOT.sub(r"\\sqrt{\1}", text))
    text = _SHORT_INDEX.sub(r"\1{\2}", _MATRIX.sub(r"\1p", text))
    return _SHORT_ARGUMENTS.sub(r"\\\1{\2}{\3}", text)


def _bare(word: re.Match[str]) -> str:
    inside = word[1].strip()
    return f" {inside} " if inside in ("and", "or") or len(inside) == 1 else word[0]


def _same_angle(wanted: str, given: str) -> Pair:
    """Degrees beside radians become radians; where nothing is in radians the sign goes without saying."""
    if ("°" in wanted) != ("°" in given) and "\\pi" in (given if "°" in wanted else wanted):
        return Pair(*(_DEGREES.sub(r"(\\frac{\1 \\pi}{180})", text) for text in (wanted, given)))
    return Pair(wanted.replace("°", ""), given.replace("°", ""))


def _without_units(wanted: str, given: str) -> Pair | None:
    """Terms without the units that follow them; None where they have different ones."""
    units, bare = [], []
    for text in (wanted, given):
        match = _UNIT.match(text)
        unit = quantity(f"1 {match['unit']}") if match else None
        bare.append(match["term"] if match and unit else text)
        units.append(unit.unit if unit else "")
    different = all(units) and units[0] != units[1]
    return None if different else Pair(*bare)


def _same_kind(wanted: str, given: str) -> bool:
    """Whether an answer could be what the reference is: a number is no inequality, a pair no set."""
    if _RELATION.search(given) and not (_RELATION.search(wanted) or _SET.search(wanted)):
        return False
    if any("," in text and quantity(text) for text in (wanted, given)):
        return False  # "1,000" is a number, which computer algebra takes for 1 and 0
    if ":" in wanted and ":" in given and "{" not in wanted:
        return False  # times and ratios, which are equal as text or not at all
    one, other = row(wanted), row(given)
    if one is None or other is None:
        return True
    unordered = ("", "{}")
    return (one.brackets in unordered) == (other.brackets in unordered)
