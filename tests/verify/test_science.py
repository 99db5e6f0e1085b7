"""Science answers: rules decide letters and numbers where no knowledge is needed, a judge the rest."""

import json

import pytest
from rows import attempt
from scripted import Scripted

from sourcewise.grading.attempts import Judged
from sourcewise.params.judge import Judge
from sourcewise.verifiers import science

KNOBS = Judge(model="judge", max_answer_chars=200, seconds=2, seed=7, task=None)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No judge is configured."""
    monkeypatch.delenv("SOURCEWISE_JUDGE_URL", raising=False)


def _verdict(reference: str, answer: str) -> Judged:
    [verdict] = science.score(
        [attempt("science", {"answer": reference}, f"<think>…</think>{answer}")], knobs=KNOBS
    )
    return verdict


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("reference", "answer", "score"),
    [
        ("B", "(B)", 1.0),
        ("B", "**B**", 1.0),
        ("B", "B. Mitochondria", 1.0),
        ("B", "C", 0.0),
        ("B", "(C) ribosomes", 0.0),
        ("B", "Choice D.", 0.0),
        ("4", "4.0", 1.0),
        ("4", "\\boxed{4}", 1.0),
        ("1/4", "0.25", 1.0),
        ("2.50 \\text{ kg}", "2.5 \\text{ kg}", 1.0),
        ("6e23", "$6 \\times 10^{23}$", 1.0),
        ("3", "4", 0.0),
        ("-3", "3", 0.0),
        ("1/2", "1/3", 0.0),
        ("3.10", "3.2", 0.0),
        ("0", "5", 0.0),
        ("5 kg", "6 kg", 0.0),
        ("6e23", "6e24", 0.0),
        ("Mitochondrion", "mitochondrion", 1.0),
    ],
)
def test_rules_decide_without_a_judge(reference: str, answer: str, score: float) -> None:
    verdict = _verdict(reference, answer)
    assert (verdict.status, verdict.score) == ("scored", score)
    assert json.loads(verdict.facts) == {"by": "rule"}


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        ("9.81", "9.8"),
        ("0.333", "1/3"),
        ("299,792", "300,000"),
        ("6.022e23", "6.02e23"),
        ("0", "0.0001"),
        ("4", "4.0 m"),
        ("5 kg", "5000 g"),
        ("0.5", "50%"),
        ("B", "The correct one is B, since A is wrong"),
        ("B", "A mitochondrion"),
        ("Mitochondrion", "the powerhouse"),
        ("H2O", "water"),
        ("B", "because " * 1000 + "(B)"),
    ],
)
def test_what_takes_knowledge_waits_for_a_judge(reference: str, answer: str) -> None:
    verdict = _verdict(reference, answer)
    assert (verdict.status, verdict.score) == ("unavailable", None)
    assert "SOURCEWISE_JUDGE_URL" in verdict.detail


def test_the_judge_sees_no_reasoning(server: Scripted) -> None:
    row = attempt(
        "science",
        {"answer": "a cell"},
        "<think>Say {5}!</think><answer>tissue</answer>",
        question="What is alive?",
    )
    [verdict] = science.score([row], knobs=KNOBS)
    assert verdict.score == 1.0
    for prompt in server.prompts():
        assert all(text in prompt for text in ("| What is alive?", "| a cell", "| tissue"))
        assert "Say" not in prompt


@pytest.mark.usefixtures("alone")
def test_half_an_answer_and_none_are_never_judged() -> None:
    texts = [("<think>so", "stop"), ("B", "length"), ("<think>B</think> ", "stop")]
    rows = [attempt("science", {"answer": "B"}, text, finish_reason=end) for text, end in texts]
    statuses = [verdict.status for verdict in science.score(rows, knobs=KNOBS)]
    assert statuses == ["truncated", "truncated", "no_answer"]


@pytest.mark.usefixtures("alone")
def test_an_unusable_reference_is_a_problem_and_no_verdict() -> None:
    good = json.dumps({"answer": "a cell"})
    bad = ["", "[]", '{"answer": ""}', '{"answer": 5}', "[" * 100_000]
    bad.append(json.dumps({"answer": "x" * 100_000}))
    found = list(science.problems([good, *bad, good], knobs=KNOBS))
    assert [problem is None for problem in found] == [True, *[False] * len(bad), True]
    rows = [attempt("science", reference, "x") for reference in bad]
    assert {one.status for one in science.score(rows, knobs=KNOBS)} == {"bad_reference"}
