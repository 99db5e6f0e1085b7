"""What counts as the same answer, and what a hostile or careless answer can do."""

import time
from collections.abc import Iterator

import pytest
from rows import attempt, math_attempt

from sourcewise.grading import answers
from sourcewise.params.distill import MathVerifier
from sourcewise.tables import Verdict
from sourcewise.verifiers import math

KNOBS = MathVerifier(seconds=5, memory_mb=2048, max_answer_chars=2000, judge=None)


def _score(expected: str, text: str) -> float | None:
    [verdict] = math.score([attempt("math", {"answer": expected}, text)], knobs=KNOBS)
    return verdict.score


SAME = [
    ("18", "$18"),
    ("18", "18 dollars"),
    ("18", r"\$18.00"),
    ("18", "The answer is 18."),
    ("1,600", "1600"),
    ("2000000", "2 million"),
    ("3/4", "0.75"),
    ("50", "50%"),
    (r"10 \mbox{ m}", r"10 \text{ meters}"),
    (r"864 \mbox{ inches}^2", "864 square inches"),
    ("52_8", "52_{8}"),
    ("52_8", "52"),
    (r"\text{(C)}", "C. 15"),
    ("B", "(B)"),
    (r"\text{Evelyn}", "evelyn"),
    (r"1\frac{4}{5}", "9/5"),
    (r"\frac43", r"\dfrac{4}{3}"),
    (r"11,\! 111,\! 111,\! 100", "11111111100"),
    (".0000672", r"6.72\times 10^{-5}"),
    ("5", "x = 5"),
    ("90^\\circ", "90"),
]
DIFFERENT = [
    ("18", "19"),
    ("18", "18 million"),
    ("5", "maybe in step 5"),
    ("5", "5 or 6"),
    (r"50\%", "0.5"),
    (r"10\text{ m}", r"10\text{ cm}"),
    ("100", "100_2"),
    ("52_8", "52_9"),
    ("1e-7", "2e-7"),
    ("0.3333", "1/3"),
    ("C", "C, D"),
    ("C", "A. C"),
    ("12", "1 2"),
    ("5", "\u0666"),
]


@pytest.mark.parametrize(("expected", "answer"), SAME)
def test_rules_accept_the_same_answer_in_another_form(expected: str, answer: str) -> None:
    assert answers.decide(expected, answer) is True


@pytest.mark.parametrize(("expected", "answer"), DIFFERENT)
def test_different_answers_are_never_equal(expected: str, answer: str) -> None:
    [verdict] = math.score([math_attempt(expected, answer)], knobs=KNOBS)
    assert verdict.score == 0.0


@pytest.fixture(scope="module")
def by_algebra() -> Iterator[dict[tuple[str, str], Verdict]]:
    """Verdicts that rules leave to math-verify, from one pool."""
    pairs = [*ALGEBRA_SAME, *ALGEBRA_DIFFERENT]
    verdicts = math.score([math_attempt(*pair) for pair in pairs], knobs=KNOBS)
    return dict(zip(pairs, verdicts, strict=True))


ALGEBRA_SAME = [
    (r"\frac{\sqrt{3}}{2}", r"\sqrt{\frac{3}{4}}"),
    ("x^2+3x-6", "-6+3x+x^{2}"),
    (r"(2,\infty)", "x > 2"),
    (r"1 \pm \sqrt{19}", r"\{1+\sqrt{19}, 1-\sqrt{19}\}"),
    ("[1,2)", r"1 \le x < 2"),
]
ALGEBRA_DIFFERENT = [
    (r"\pi", "3.141593"),
    (r"\frac{1}{2^{99}}", r"\frac{1}{2^{98}}"),
    (r"\frac{1}{2004!}", r"\frac{1}{2006!}"),
    ("x^2", "x^3"),
    (r"(1,2)", r"(2,1)"),
    ("7", r"6 + \frac12"),
]


@pytest.mark.parametrize("pair", ALGEBRA_SAME)
def test_equal_terms_are_equal(pair: tuple[str, str], by_algebra: dict) -> None:
    assert by_algebra[pair].score == 1.0


@pytest.mark.parametrize("pair", ALGEBRA_DIFFERENT)
def test_close_is_not_equal(pair: tuple[str, str], by_algebra: dict) -> None:
    assert by_algebra[pair].score == 0.0


def test_the_last_box_counts() -> None:
    assert _score("2", r"\boxed{3}, but correcting, \boxed{2}") == 1.0
    assert _score("3", r"\boxed{3}, but correcting, \boxed{2}") == 0.0
    assert _score("2", r"<answer>so \boxed{\frac{4}{2}} and \boxed{</answer>") == 1.0


@pytest.mark.parametrize(
    "text",
    [
        r"<answer>so \boxed{9}, as was to be shown</answer>",
        r"<answer>\boxed{8}, no: \boxed{9}</answer>",
        r"\boxed{8} <answer>9</answer>",
        r"<answer>9</answer> \boxed{8}",
        r"\boxed{8} <answer>\boxed{9}</answer> \boxed{7}",
        r"<answer>8</answer> rather <answer>9</answer>",
        r"<answer>\boxed{\text{about } \boxed{9}}</answer>",
        r"so \boxed{9} and \boxed{8",
        "<answer>9",
    ],
)
def test_an_answer_tag_comes_before_any_box_outside_of_it(text: str) -> None:
    assert answers.find(f"<think>\\boxed{{1}}</think>{text}", max_chars=100).answer == "9"


def test_reasoning_that_is_opened_again_was_never_closed() -> None:
    [verdict] = math.score(
        [attempt("math", {"answer": "9"}, r"<think>a</think>\boxed{8}<think>so \boxed{9}")],
        knobs=KNOBS,
    )
    assert verdict.status == "truncated"


def test_what_is_only_thought_does_not_count() -> None:
    assert _score("9", r"<think>\boxed{9}</think> not sure") is None
    assert _score("9", r"<think>\boxed{9}</think><answer>8</answer>") == 0.0


@pytest.mark.parametrize(
    ("text", "finish_reason", "status"),
    [
        (r"<answer>9</answer>", "length", "truncated"),
        (r"<think>so \boxed{9}", "stop", "truncated"),
        ("It is 9.", "stop", "no_answer"),
        ("<answer> </answer>", "stop", "no_answer"),
        (f"<answer>{'9' * 2001}</answer>", "stop", "no_answer"),
    ],
)
def test_an_answer_that_is_not_there_has_no_score(
    text: str, finish_reason: str, status: str
) -> None:
    one = attempt("math", {"answer": "9"}, text, finish_reason=finish_reason)
    [verdict] = math.score([one], knobs=KNOBS)
    assert (verdict.status, verdict.score) == (status, None)


@pytest.mark.parametrize("reference", ["", "{}", "9", '{"answer": ""}', '{"answer": 9}', "[]"])
def test_a_reference_without_an_answer_is_a_bad_reference(reference: str) -> None:
    [verdict] = math.score([attempt("math", reference, "<answer>9</answer>")], knobs=KNOBS)
    assert verdict.status == "bad_reference"


def test_a_reference_that_is_no_mathematics_is_a_bad_reference_not_a_wrong_answer() -> None:
    [verdict] = math.score([math_attempt(r"\frac{", "x+1")], knobs=KNOBS)
    assert verdict.status == "bad_reference"


HOSTILE = [
    "9^{9^{9^{9^{9}}}}",
    r"\gcd(7^{10^9},7)",
    "(10^9)!",
    "(" * 900 + "x" + ")" * 900,
    r"\sum_{n=1}^{10^{12}} \frac{1}{n!^n}",
    "\\boxed{" * 200,
    "{" * 1999,
]


def test_hostile_answers_are_not_accepted_and_cost_the_others_nothing() -> None:
    knobs = MathVerifier(seconds=0.5, memory_mb=1024, max_answer_chars=2000, judge=None)
    honest = [math_attempt("x^2+3x", "3x+x^2"), math_attempt("x^2", "x^3")]
    rows = [row for text in HOSTILE for row in (math_attempt("2x", text), *honest)]
    begin = time.monotonic()
    verdicts = list(math.score(rows, knobs=knobs))
    assert time.monotonic() - begin < 60
    assert [v.score for v in verdicts[1::3]] == [1.0] * len(HOSTILE)
    assert [v.score for v in verdicts[2::3]] == [0.0] * len(HOSTILE)
    assert not [v.detail[:80] for v in verdicts[0::3] if v.score == 1.0]


def test_a_verdict_has_the_seconds_it_took() -> None:
    rows = [math_attempt("x+1", "1+x"), math_attempt("x+1", "1+x"), math_attempt("5", "5")]
    first, again, rule = math.score(rows, knobs=KNOBS)
    assert first.seconds > again.seconds > 0  # computed once
    assert rule.seconds > 0


def test_a_detail_says_what_was_expected() -> None:
    [verdict] = math.score([math_attempt("3/4", "0.76")], knobs=KNOBS)
    assert verdict.detail == "expected 3/4, got 0.76"
