"""A judge of mathematics: asked for what rules and algebra leave open, and for nothing else."""

import json
from collections.abc import Iterator

import pytest
from rows import attempt
from scripted import Scripted

from sourcewise.params.distill import MathVerifier
from sourcewise.params.judge import Judge
from sourcewise.tables import Verdict
from sourcewise.verifiers import math

JUDGE = Judge(model="judge", max_answer_chars=200, seconds=2, seed=7, task=None)
KNOBS = MathVerifier(seconds=5, memory_mb=2048, max_answer_chars=2000, judge=JUDGE)
ALONE = KNOBS.model_copy(update={"judge": None})
PROSE = r"\text{the function is odd}"


@pytest.fixture
def equivalence(server: Scripted) -> Scripted:
    """A judge that takes everything for equivalent, unless told otherwise."""
    server.reply = lambda prompt: '{"equivalent": 1}'
    return server


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCEWISE_JUDGE_URL", raising=False)


def _verdict(reference: str, answer: str, knobs: MathVerifier = KNOBS) -> Verdict:
    text = f"<think>secret thoughts</think><answer>{answer}</answer>"
    one = attempt("math", {"answer": reference}, text, question="Is f odd or even?")
    [verdict] = math.score([one], knobs=knobs)
    return verdict


UNDECIDED = [
    (PROSE, "f(-x) is always -f(x)"),
    ("Evelyn", "Evelyn Smith"),
    (r"\text{even}", "neither"),
    ("x^2", "the square of x"),
    ("2", "2 (the only root, since -3 is excluded)"),
    ("x>5", "y>5"),
    ("5", "the interval [5,5]"),
]
DECIDED = [
    ("18", "$18"),
    ("18", "19"),
    ("C", "D"),
    (r"10\text{ m}", r"10\text{ cm}"),
    (r"\frac{\sqrt{3}}{2}", r"\sqrt{\frac{3}{4}}"),
    ("x^2", "x^3"),
    (r"\pi", "3.141593"),
    ("100", "100_2"),
]


@pytest.mark.parametrize("pair", UNDECIDED)
def test_the_undecided_is_asked_in_two_orders(pair: tuple[str, str], equivalence: Scripted) -> None:
    verdict = _verdict(*pair)
    assert (verdict.status, verdict.score) == ("scored", 1.0)
    assert json.loads(verdict.facts) == {"by": "judge"}
    assert len(equivalence.requests) == 2


@pytest.mark.parametrize("pair", DECIDED)
def test_what_is_decided_is_asked_of_nobody(pair: tuple[str, str], equivalence: Scripted) -> None:
    equivalence.reply = lambda prompt: pytest.fail("nobody asked")
    alone = _verdict(*pair, ALONE)
    assert _verdict(*pair).score == alone.score
    assert equivalence.requests == []


def test_the_judge_sees_question_reference_and_answer_but_no_reasoning(
    equivalence: Scripted,
) -> None:
    _verdict("Evelyn", "Evelyn Smith")
    for body in equivalence.requests:
        prompt = body["messages"][0]["content"]
        assert all(part in prompt for part in ("Is f odd or even?", "Evelyn", "Evelyn Smith"))
        assert "secret thoughts" not in prompt


@pytest.mark.parametrize(
    ("replies", "status", "score"),
    [
        ('{"equivalent": 0}', "scored", 0.0),
        ('{"equivalent": 0.5}', "judge_error", None),
        ("Yes.", "judge_error", None),
        (None, "judge_error", None),
    ],
)
def test_a_reply_is_one_or_zero_or_no_verdict(
    replies: str | None, status: str, score: float | None, equivalence: Scripted
) -> None:
    equivalence.reply = lambda prompt: replies
    verdict = _verdict("Evelyn", "Evelyn Smith")
    assert (verdict.status, verdict.score) == (status, score)


def test_two_orders_must_agree(equivalence: Scripted) -> None:
    replies = iter(['{"equivalent": 1}', '{"equivalent": 0}'])
    equivalence.reply = lambda prompt: next(replies)
    assert _verdict("Evelyn", "Evelyn Smith").status == "judge_error"


def test_the_task_is_a_parameter(equivalence: Scripted) -> None:
    judge = JUDGE.model_copy(update={"task": "Compare like a notary."})
    _verdict("Evelyn", "Evelyn Smith", KNOBS.model_copy(update={"judge": judge}))
    assert "Compare like a notary." in equivalence.requests[0]["messages"][0]["content"]


@pytest.mark.usefixtures("alone")
def test_without_an_address_the_undecided_is_unavailable_and_the_rest_is_decided() -> None:
    pairs = [*UNDECIDED, *DECIDED]
    rows = [attempt("math", {"answer": a}, f"<answer>{b}</answer>") for a, b in pairs]
    verdicts = list(math.score(rows, knobs=KNOBS))
    undecided = verdicts[: len(UNDECIDED)]
    assert {verdict.status for verdict in undecided} == {"unavailable"}
    assert all("SOURCEWISE_JUDGE_URL" in verdict.detail for verdict in undecided)
    assert {verdict.status for verdict in verdicts[len(UNDECIDED) :]} == {"scored"}


def test_without_a_judge_the_undecided_is_wrong_or_the_reference_is_bad() -> None:
    verdicts = [_verdict(*pair, ALONE) for pair in UNDECIDED[:4]]
    assert [verdict.status for verdict in verdicts] == ["bad_reference", *["scored"] * 3]
    assert [verdict.score for verdict in verdicts[1:]] == [0.0] * 3


# Reference, what is wrong with it without a judge, and with one.
REFERENCES = [
    ('{"answer": "18"}', None, None),
    ('{"answer": "C"}', None, None),
    (json.dumps({"answer": r"\text{Evelyn}"}), None, None),
    (json.dumps({"answer": r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"}), None, None),
    ('{"answer": "10:30"}', None, None),
    ('{"answer": "x^2+1"}', None, None),
    ('{"answer": "no solution"}', None, None),
    ('{"answer": ""}', "is not", "is not"),
    ('{"answer": 5}', "is not", "is not"),
    ("18", "is not", "is not"),
    ('{"answer": "' + "9" * 2001 + '"}', "2001 characters", "2001 characters"),
    ('{"answer": "\\\\frac{"}', "algebra reads", None),
    (json.dumps({"answer": PROSE}), "algebra reads", None),
    ('{"answer": "9^{9^{9^{9^{9}}}}+x"}', "timeout", "timeout"),
    ('{"answer": "x^2+1"}', None, None),
]


@pytest.mark.parametrize("knobs", [ALONE, KNOBS], ids=["without a judge", "with a judge"])
def test_an_unusable_reference_has_its_reason(knobs: MathVerifier) -> None:
    limited = knobs.model_copy(update={"seconds": 0.5})
    found = list(math.problems((row[0] for row in REFERENCES), knobs=limited))
    wanted = [row[2 if knobs.judge else 1] for row in REFERENCES]
    assert [reason is None for reason in found] == [reason is None for reason in wanted]
    for reason, part in zip(found, wanted, strict=True):
        assert not part or part in (reason or "")


def test_problems_are_found_as_a_stream() -> None:
    def endless() -> Iterator[str]:
        while True:
            yield '{"answer": "18"}'

    found = math.problems(endless(), knobs=ALONE)
    assert [next(found) for _ in range(2000)] == [None] * 2000
