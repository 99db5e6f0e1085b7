"""Pairs that math-verify or a careless rule gets wrong: what is equal here, and what only looks so."""

import json
from collections.abc import Iterator

import pytest
from rows import math_attempt

from sourcewise.params.distill import MathVerifier
from sourcewise.tables import Verdict
from sourcewise.verifiers import math

KNOBS = MathVerifier(seconds=5, memory_mb=2048, max_answer_chars=2000, judge=None)

# Reference, answer. What math-verify alone takes for equal is marked with a star.
DIFFERENT = r"""
    10 \text{ m}                    | 10 \text{ cm}                 * units are dropped
    10 m                            | 10 cm                         * units are dropped
    10 \text{ cm}                   | 10 m                          * units are dropped
    2\pi \text{ cm}                 | 2\pi \text{ m}                * units are dropped
    12\pi \text{ cm}^2              | 12\pi \text{ cm}^3            * units are dropped
    \$5                             | 5 cents                       * units are dropped
    10                              | 10x
    12                              | 12 x y
    100                             | 100_2                         * bases are dropped
    100                             | 100_{two}                     * bases are dropped
    100                             | 100 base two
    52_8                            | 52_9                          * bases are dropped
    4                               | 100_2
    50\%                            | 0.5                           * a percent is loose
    0.5                             | 50
    0.5                             | 0.5\%
    \pi                             | 3.141593                      * numbers are rounded
    e                               | 2.718281828459045             * numbers are rounded
    2\sqrt{2}                       | 2.8284271247461903            * numbers are rounded
    \frac{1}{3}                     | 0.333333333333                * numbers are rounded
    1e-7                            | 2e-7
    10^{-7}                         | 2\cdot 10^{-7}
    \frac{1}{2004!}                 | \frac{1}{2006!}               * numbers are rounded
    \frac{1}{2^{99}}                | \frac{1}{2^{98}}              * numbers are rounded
    0                               | 10^{-200}
    x^2+10^{-20}                    | x^2                           * numbers are rounded
    \frac{x}{10000000}              | \frac{x}{20000000}
    \{10^{-9}, 1\}                  | \{10^{-8}, 1\}
    [0, 10^{-9}]                    | [0, 10^{-8}]
    x^2=10^{-9}                     | x^2=10^{-8}
    9007199254740993                | 9007199254740992
    9007199254740993x               | 9007199254740992x
    123456789012345678901234567890  | 123456789012345678901234567891
    6.02e23                         | 6.02e22
    0                               | 3*x-1*y+13=0                  * an equation is its right side
    2                               | 3=2                           * an equation is its right side
    2                               | 2=3
    2                               | 1=1
    2\sqrt{2}                       | \sqrt{9} = 2\sqrt2            * an equation is its right side
    x=5                             | 5=5
    x                               | X                             * case is dropped
    5                               | maybe in step 5
    5                               | 5 or 6
    2                               | 1 or 2 or 3
    2                               | \{1,2,3\}
    2                               | \pm 2
    2                               | 2 \text{ is wrong}            * words are dropped
    2                               | 2 \text{ cm or } 3 \text{ cm} * words are dropped
    2                               | 2 wrong
    2\pi                            | \text{not } 2\pi
    2\pi                            | 2\pi \text{ vs } 3
    5                               | 5⅓
    2                               | 2⁵
    5                               | ５
    25                              | ٢٥
    x+5                             | x+５
    x+5                             | х+5
    12                              | 1 2
    1600                            | 1.600
    3.5                             | 3,5
    3,5                             | 3.5
    18                              | 18 millions
    Evelyn                          | Evelny                      * words are products
    \text{cat}                      | act
    C                               | C, D
    C                               | A. C
    C                               | C or any other
    2                               | x>2
    2                               | x \ne 2
    2                               | \geq 2                      * the sign is dropped
    2                               | [0,5]
    x>2                             | x \in \mathbb{R}
    (-\infty,1) \cup (2,\infty)     | x<1
    (-\infty,1) \cup (2,\infty)     | x<1 \text{ or } x>3
    (3,4)                           | (4,3)
    (3,4)                           | \{3,4\}                       * order is dropped
    (3,4)                           | y=3, x=4                      * order is dropped
    [1,2]                           | 1,2
    -2,1                            | (-2,1)                        * an interval is a pair
    (1,2),(3,4)                     | (1,2),(4,3)
    1,2,3                           | 1,2,3,4
    10:30                           | 1:3                           * a time is a ratio
    1,000                           | 1,0
    \infty                          | -\infty
    \infty                          | \frac{1}{0}
    \begin{pmatrix} 1 \\ 2 \end{pmatrix} | \begin{bmatrix} 1 \\ 3 \end{bmatrix}
    \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} | (1,2,3,4)
"""
# What math-verify alone takes for different, or cannot read, is marked with a star.
SAME = r"""
    73                              | **73**                        * stars are read as products
    10 \mbox{ m}                    | 10 \text{ meters}
    10                              | 10 m
    10 \text{ cm}                   | 10cm
    12\pi \text{ cm}^2              | 12\pi \text{ square centimeters}
    12\pi \text{ cm}^2              | 12\pi
    100_{two}                       | 100_2
    100                             | 100_{10}
    50                              | 50\%
    6.02e23                         | 6.02\times 10^{23}            * e is Euler's
    1600                            | 1\,600                        * a blank is a product
    1000\pi                         | 1{,}000\pi                   * a list
    x^2                             | x²                            * no such sign
    2\pi                            | 2π
    \sqrt2                          | sqrt(2)
    \frac{\sqrt{3}}{2}              | √3/2                          * no such sign
    \frac12                         | ½                             * no such sign
    \frac{4}{11}                    | 0.\overline{36}               * no repeating decimals
    [1,2)                           | 1 \le x < 2                   * only one way round
    1 \le x < 2                     | [1,2)
    x \in [1,2]                     | 1 \le x \le 2               * the membership is dropped
    x<1 \text{ or } x>2             | (-\infty,1) \cup (2,\infty)   * only single inequalities
    (-\infty,1) \cup (2,\infty)     | x<1 or x>2                    * only single inequalities
    (-\infty,1) \cup (2,\infty)     | 1>x \text{ or } x>2           * only single inequalities
    \begin{pmatrix} 1 \\ 2 \end{pmatrix} | (1,2)                    * a vector is a matrix
    (1,2)                           | \begin{pmatrix} 1 \\ 2 \end{pmatrix} * a vector is a matrix
    \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} | \begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}
    \emptyset                       | no solution                   * words are dropped
    \text{no solution}              | \emptyset                     * words are dropped
    90^\circ                        | \frac{\pi}{2}                 * degrees are dropped
    \frac{\pi}{4}                   | 45^\circ                      * degrees are dropped
    C                               | \text{(C) } 15                * a letter is a variable
    3x-y+13=0                       | 3*x-1*y+13=0
    3x-y+13=0                       | y=3x+13
    3x-y+13=0                       | 6x-2y+26=0
    2\sqrt{2}                       | 2\sqrt{2} \approx 2.83
    2\sqrt{2}                       | x = \sqrt{8} = 2\sqrt2
    2x+1                            | f(x)=2x+1
    y=2x+1                          | 1+2x
    (3,4)                           | y=4, x=3                    * order is dropped
    \{3,4\}                         | 4 \text{ and } 3
    1,-2                            | x=-2 \text{ or } x=1
    (1,2),(3,4)                     | (3,4),(1,2)
    0,1,-1                          | 0,\pm 1
    3 \pm 2\sqrt{2}                 | 3+2\sqrt{2}, 3-2\sqrt2
    \binom{5}{2}                    | 10
    \log_2 8                        | 3
    3+4i                            | 4i+3
"""


def _rows(table: str) -> list[tuple[str, str]]:
    pairs = []
    for line in table.strip().splitlines():
        reference, _, rest = line.partition(" | ")
        pairs.append((reference.strip(), rest.partition(" * ")[0].strip()))
    return pairs


@pytest.fixture(scope="module")
def verdicts() -> Iterator[dict[tuple[str, str], Verdict]]:
    """All pairs of this file from one pool."""
    pairs = _rows(DIFFERENT) + _rows(SAME)
    judged = math.score([math_attempt(*pair) for pair in pairs], knobs=KNOBS)
    return dict(zip(pairs, judged, strict=True))


@pytest.mark.parametrize("pair", _rows(DIFFERENT), ids=" vs ".join)
def test_what_only_looks_equal_is_not(pair: tuple[str, str], verdicts: dict) -> None:
    assert verdicts[pair].score == 0.0


@pytest.mark.parametrize("pair", _rows(SAME), ids=" vs ".join)
def test_what_looks_different_and_is_equal_passes(pair: tuple[str, str], verdicts: dict) -> None:
    assert verdicts[pair].score == 1.0


def test_every_verdict_says_who_gave_it(verdicts: dict) -> None:
    by = {pair: json.loads(verdict.facts)["by"] for pair, verdict in verdicts.items()}
    assert by["10:30", "1:3"] == by["6.02e23", "6.02e22"] == "rule"
    assert by[r"\binom{5}{2}", "10"] == by[r"\pi", "3.141593"] == "algebra"
