"""Answers of mathematics that hang, crash, hide, hedge or flatter: none passes, none costs a neighbour.

`answers.jsonl` has a hostile answer a line beside a plausible reference; `text` stands for a whole response.
"""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest

from sourcewise.grading.attempts import Attempt
from sourcewise.params.distill import MathVerifier
from sourcewise.tables import Message, Verdict
from sourcewise.verifiers import math

HERE = Path(__file__).resolve().parent
MATH500 = HERE.parents[2] / "shared/data/math500/test.jsonl"
KNOBS = MathVerifier(seconds=0.5, memory_mb=1024, max_answer_chars=2000, judge=None)
HOSTILE = [json.loads(line) for line in (HERE / "answers.jsonl").read_text().splitlines()]
HONEST = [
    (r"\frac{\sqrt{3}}{2}", r"\sqrt{\frac{3}{4}}", 1.0),
    ("x^2+3x", "3x+x^2", 1.0),
    ("18", "$18.00", 1.0),
    ("x^2", "x^3", 0.0),
    ("18", "19", 0.0),
]


def _attempt(reference: str, text: str) -> Attempt:
    return Attempt(
        query_id="0" * 32,
        attempt=1,
        category="math",
        messages=[Message("user", "?")],
        reference=json.dumps({"answer": reference}),
        text=text,
        finish_reason="stop",
    )


def _answered(reference: str, answer: str) -> Attempt:
    return _attempt(reference, f"<think>hm</think><answer>{answer}</answer>")


def _hostile(row: dict[str, Any]) -> Attempt:
    if "text" in row:
        return _attempt(row["reference"], row["text"])
    return _answered(row["reference"], row["answer"])


def _said(verdict: Verdict) -> tuple[Any, ...]:
    """All of a verdict that is a column."""
    return tuple(getattr(verdict, field.name) for field in dataclasses.fields(Verdict))


def _children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> list[list[Verdict]]:
    """Per hostile answer its verdict and those of the honest answers behind it."""
    rows = []
    for row in HOSTILE:
        rows += [_hostile(row), *(_answered(a, b) for a, b, _ in HONEST)]
    folder, before, home = tmp_path_factory.mktemp("cwd"), _children(), Path.cwd()
    os.chdir(folder)
    try:
        judged = list(math.score(rows, knobs=KNOBS))
    finally:
        os.chdir(home)
    assert list(folder.iterdir()) == [], "an answer wrote a file"
    assert _children() == before, "a worker was left behind"
    width = 1 + len(HONEST)
    return [judged[at : at + width] for at in range(0, len(judged), width)]


def test_there_are_enough_attacks_and_each_has_its_name() -> None:
    assert len({row["kind"] for row in HOSTILE}) == len(HOSTILE) >= 60


@pytest.mark.parametrize("place", range(len(HOSTILE)), ids=[row["kind"] for row in HOSTILE])
def test_a_hostile_answer_never_passes(place: int, verdicts: list[list[Verdict]]) -> None:
    verdict = verdicts[place][0]
    assert verdict.score in (None, 0.0), verdict
    # A reference that is plausible is not to blame.
    assert verdict.status in ("scored", "no_answer", "truncated", "timeout", "memory", "crash")


def test_honest_neighbours_keep_their_verdicts(verdicts: list[list[Verdict]]) -> None:
    expected = [score for _, _, score in HONEST]
    assert [[one.score for one in row[1:]] for row in verdicts] == [expected] * len(HOSTILE)


def test_two_percent_of_poison_change_no_other_verdict(verdicts: list[list[Verdict]]) -> None:
    if not MATH500.is_file():
        pytest.skip("needs ../shared/data/math500/test.jsonl")
    answers = [json.loads(line)["answer"] for line in MATH500.read_text().splitlines()][:200]
    pairs = [*zip(answers, answers, strict=True), *zip(answers, answers[7:], strict=False)]
    innocent = [_answered(*pair) for pair in pairs]
    poison = [
        _hostile(row)
        for row, (verdict, *_) in zip(HOSTILE, verdicts, strict=True)
        if verdict.status in ("timeout", "memory", "crash")
    ]
    mixed: list[Attempt] = []
    for place, one in enumerate(innocent):
        mixed += [one] if place % 50 else [one, poison[place // 50 % len(poison)]]
    alone = list(math.score(innocent, knobs=KNOBS))
    beside = list(math.score(mixed, knobs=KNOBS))
    assert len(mixed) - len(innocent) >= 0.02 * len(innocent)
    poisoned = {id(one) for one in poison}
    kept = [v for one, v in zip(mixed, beside, strict=True) if id(one) not in poisoned]
    assert [_said(verdict) for verdict in kept] == [_said(verdict) for verdict in alone]
    assert len(beside) == len(mixed)
