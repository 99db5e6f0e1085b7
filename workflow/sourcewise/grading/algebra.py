"""Equality by math-verify, without its alarms and without its roundings; runs in workers that are killed.

What math-verify takes for equal is compared again to many digits: alone it takes 1e-7 for 2e-7 and π
for 3.141593. No sympy object is ever printed: to print a tower of powers takes for ever.
"""

from __future__ import annotations

import functools
import logging
from typing import Any, NamedTuple

from sourcewise.grading.shapes import Pair

DIGITS = 50
TOLERANCE = "1e-40"  # relative


class Tools(NamedTuple):
    """math-verify's two functions, set up."""

    parse: Any
    verify: Any


def compare(pair: Pair) -> str:
    """`equal`; `different`; `unclear` where they are of other kinds; `unreadable` for the reference.

    An answer such as 2 + 3 = 5 must be right on both sides.
    """
    tools = _math_verify()
    wanted = tools.parse(pair.wanted)
    if not wanted or isinstance(wanted[0], str):
        return "unreadable"
    sides = [pair.given] if "=" in pair.wanted else pair.given.split("=")
    verdicts = [_compare(wanted, tools.parse(side), tools) for side in sides]
    return next((verdict for verdict in verdicts if verdict != "equal"), "equal")


def _compare(wanted: Any, given: Any, tools: Tools) -> str:
    if not given or isinstance(given[0], str):
        return "unclear"
    alike = _kind(wanted[0]) == _kind(given[0])
    # Simplifying takes long; that two terms have different values is seen at once.
    if alike and not same(wanted[0], given[0]):
        return "different"
    if tools.verify(wanted, given):
        return "equal"
    return "different" if alike else "unclear"


def warm() -> None:
    """Loads math-verify and grows its parser's tables: seconds that every worker then inherits."""
    for pair in (
        ("\\frac{\\sqrt{3}}{2}", "\\sqrt{\\frac{3}{4}}"),
        ("(2,\\infty) \\cup [0,1)", "x > 2"),
        ("x^2+3x-6", "-6+3x+x^{2}"),
        ("\\{1\\pm\\sqrt{5},-2\\}", "-2, 1 + \\sqrt5"),
        ("\\begin{pmatrix} -1/3 \\\\ 2 \\end{pmatrix}", "\\left( 3, \\frac{\\pi}{2} \\right)"),
        ("\\cos x + 2\\pi", "2k"),
    ):
        compare(Pair(*pair))


@functools.cache
def _math_verify() -> Tools:
    from math_verify import LatexExtractionConfig, parse, verify

    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    config = (LatexExtractionConfig(boxed_match_priority=0, try_extract_without_anchor=False),)

    # A reference comes back with every attempt at its query.
    @functools.lru_cache(maxsize=256)
    def read(answer: str) -> Any:
        return parse(f"\\boxed{{{answer}}}", extraction_config=config, parsing_timeout=None)

    # The deadline is the pool's.
    return Tools(
        read, functools.partial(verify, allow_set_relation_comp=True, timeout_seconds=None)
    )


def _kind(term: Any) -> str:
    import sympy

    kinds = (sympy.Expr, sympy.Tuple, sympy.MatrixBase, sympy.Set, sympy.Rel)
    return next((kind.__name__ for kind in kinds if isinstance(term, kind)), "")


def same(wanted: Any, given: Any) -> bool:
    """Whether numbers agree in their leading digits, however small, wherever they stand."""
    import sympy

    if isinstance(wanted, sympy.Tuple | sympy.MatrixBase) and isinstance(given, type(wanted)):
        return len(wanted) == len(given) and all(map(same, wanted, given))
    if isinstance(wanted, sympy.Interval) and isinstance(given, sympy.Interval):
        return same(wanted.start, given.start) and same(wanted.end, given.end)
    collections = sympy.FiniteSet | sympy.Union
    if isinstance(wanted, collections) and isinstance(given, collections):
        return all(any(same(a, b) for b in given.args) for a in wanted.args) and all(
            any(same(a, b) for a in wanted.args) for b in given.args
        )
    if isinstance(wanted, sympy.Rel) and isinstance(given, sympy.Rel):
        return _proportional(wanted.lhs - wanted.rhs, given.lhs - given.rhs)
    if isinstance(wanted, sympy.Expr) and isinstance(given, sympy.Expr):
        return all(_close(a, b) for a, b in zip(_at_points(wanted), _at_points(given), strict=True))
    return True


def _proportional(wanted: Any, given: Any) -> bool:
    """Whether two sides of an equation vanish together: 6x = 4 says what 3x = 2 says."""
    first, second = _at_points(wanted), _at_points(given)
    return _close(first[0] * second[1], first[1] * second[0])


def _at_points(term: Any) -> list[Any]:
    """The exact values of a term at two points that no problem has in mind; itself where it is a number."""
    import sympy

    decimals = {number: sympy.Rational(str(number)) for number in term.atoms(sympy.Float)}
    term = term.xreplace(decimals)
    points = (sympy.Rational(355, 339), sympy.Rational(-209, 673))
    # By its name, so that a letter has the same value on both sides.
    shifts = {symbol: sympy.Rational(sum(symbol.name.encode()), 97) for symbol in term.free_symbols}
    return [
        term.subs({symbol: point + shift for symbol, shift in shifts.items()}) for point in points
    ]


def _close(wanted: Any, given: Any) -> bool:
    """Whether two numbers agree; true for what is no number, such as an unknown function's value."""
    import sympy

    if wanted == given or not (wanted.is_number and given.is_number):
        return True
    endless = (sympy.oo, -sympy.oo, sympy.zoo, sympy.nan)
    if wanted.has(*endless) or given.has(*endless):
        return False
    if wanted == 0 or given == 0:
        return (wanted + given).equals(0) is True
    a, b = wanted.evalf(DIGITS), given.evalf(DIGITS)
    return bool(abs(a - b) <= sympy.Float(TOLERANCE) * max(abs(a), abs(b), key=float))
