"""Verifier of mathematics: rules that are exact, then math-verify in workers that can be killed.

Reference: `{"answer": "42"}`. Score 1 for an equal answer, else 0 (paper §4). math-verify sees the
extracted answer only, never the response, and numbers that it takes for equal are compared again to
many digits: alone it takes 1e-7 for 2e-7 and π for 3.141593.
"""

from __future__ import annotations

import functools
import itertools
import logging
from collections.abc import Iterable, Iterator
from typing import Any

from sourcewise.grading import answers
from sourcewise.grading.attempts import Attempt, Outcome, cut_short, failed, scored, verdict
from sourcewise.grading.killable import Pool, Reply
from sourcewise.params.distill import MathVerifier
from sourcewise.tables import Verdict

VERSION = "1"
BATCH = 512
DIGITS = 30
MAX_MEMO = 100_000

Pair = tuple[str, str]


def score(attempts: Iterable[Attempt], *, knobs: MathVerifier) -> Iterator[Verdict]:
    """One verdict per attempt, in order; no worker is started while rules decide."""
    memo: dict[Pair, Outcome] = {}
    with Pool(compare, seconds=knobs.seconds, memory_mb=knobs.memory_mb, warm=_warm) as pool:
        stream = iter(attempts)
        while batch := list(itertools.islice(stream, BATCH)):
            judged = [_by_rules(attempt, knobs) for attempt in batch]
            open_pairs = [pair for pair in judged if not isinstance(pair, Outcome)]
            if len(memo) > MAX_MEMO:
                memo.clear()
            unseen = list(dict.fromkeys(pair for pair in open_pairs if pair not in memo))
            memo |= dict(zip(unseen, map(_outcome, unseen, pool.map(unseen)), strict=True))
            for attempt, result in zip(batch, judged, strict=True):
                outcome = result if isinstance(result, Outcome) else memo[result]
                yield verdict(attempt, outcome, verifier="math", version=VERSION)


def _by_rules(attempt: Attempt, knobs: MathVerifier) -> Outcome | Pair:
    """The outcome where rules can tell, else what is left to compare: (reference, answer)."""
    reference = answers.read_reference(attempt.reference)
    if reference is None:
        return failed("bad_reference", f'{attempt.reference[:80]!r} is not {{"answer": "…"}}')
    if short := cut_short(attempt):
        return short
    found = answers.find(attempt.text, max_chars=knobs.max_answer_chars)
    if found.answer is None:
        return failed("no_answer", found.problem)
    equal = answers.decide(reference, found.answer)
    return (reference, found.answer) if equal is None else _say(equal, reference, found.answer)


def _say(equal: bool, reference: str, answer: str) -> Outcome:
    return scored(float(equal), f"{'equal to' if equal else 'expected'} {reference}, got {answer}")


def _outcome(pair: Pair, reply: Reply[str]) -> Outcome:
    if reply.status != "done":
        return failed(reply.status, f"comparing {pair[1]} with {pair[0]}: {reply.detail}")
    if reply.value == "unreadable":
        return failed("bad_reference", f"math-verify cannot read the reference {pair[0]}")
    return _say(reply.value == "equal", *pair)


def compare(pair: Pair) -> str:
    """`equal`, `different`, or `unreadable` where the reference is no mathematics; runs in a worker."""
    parse, verify = _math_verify()
    wanted = parse(pair[0])
    if not wanted or isinstance(wanted[0], str):
        return "unreadable"
    given = parse(pair[1])
    if not given or isinstance(given[0], str):
        return "different"
    return "equal" if verify(wanted, given) and same_numbers(wanted[0], given[0]) else "different"


def _warm() -> None:
    """Loads math-verify and grows its parser's tables: seconds that every worker then inherits."""
    for pair in (
        ("\\frac{\\sqrt{3}}{2}", "\\sqrt{\\frac{3}{4}}"),
        ("(2,\\infty) \\cup [0,1)", "x > 2"),
        ("x^2+3x-6", "-6+3x+x^{2}"),
        ("\\{1\\pm\\sqrt{5},-2\\}", "-2, 1 + \\sqrt5"),
        ("\\begin{pmatrix} -1/3 \\\\ 2 \\end{pmatrix}", "\\left( 3, \\frac{\\pi}{2} \\right)"),
        ("\\cos x + 2\\pi", "2k"),
    ):
        compare(pair)


@functools.cache
def _math_verify() -> Any:
    """math-verify without its alarms, which are no guarantee: the deadline is the pool's."""
    from math_verify import LatexExtractionConfig, parse, verify

    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    config = (LatexExtractionConfig(boxed_match_priority=0, try_extract_without_anchor=False),)

    def read(answer: str) -> Any:
        # The degree sign is in no LaTeX grammar.
        answer = answers.tidy(answer).replace("°", "^{\\circ}")
        return parse(f"\\boxed{{{answer}}}", extraction_config=config, parsing_timeout=None)

    return read, functools.partial(verify, allow_set_relation_comp=True, timeout_seconds=None)


def same_numbers(wanted: Any, given: Any) -> bool:
    """Whether numbers agree in their leading digits, however small; true for what is no number."""
    import sympy

    if isinstance(wanted, sympy.Tuple | sympy.MatrixBase) and isinstance(given, type(wanted)):
        return len(wanted) == len(given) and all(map(same_numbers, wanted, given))
    if not (isinstance(wanted, sympy.Expr) and isinstance(given, sympy.Expr)):
        return True
    if not (wanted.is_number and given.is_number):
        return True
    a, b = wanted.evalf(DIGITS), given.evalf(DIGITS)
    return bool(abs(a - b) <= sympy.Float("1e-12") * max(abs(a), abs(b), key=float))
