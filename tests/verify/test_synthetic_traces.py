"""What the synthetic teachers are taught passes the real verifiers; what the base is taught does not."""

import random

import pytest

from sourcewise.grading.attempts import Attempt
from sourcewise.params.distill import CodeVerifier, InstructionVerifier, MathVerifier
from sourcewise.params.queries import Synthetic
from sourcewise.synthetic.problems import problems
from sourcewise.synthetic.traces import Style, trace
from sourcewise.text import query_id
from sourcewise.verifiers import code, instruction, math

MATH = MathVerifier(seconds=5, max_answer_chars=2000, memory_mb=2048, judge=None)
CODE = CodeVerifier(max_tests=10, seconds=5, memory_mb=512, compile_seconds=30)
INSTRUCTION = InstructionVerifier(mode="strict")
JUDGED = {
    "arithmetic": (math, MATH, 60),
    "multi_turn": (math, MATH, 60),
    "code": (code, CODE, 16),
    "instruction": (instruction, INSTRUCTION, 150),
}


def _scores(task: str, style: Style, label_noise: float = 0.0) -> list[float | None]:
    verifier, knobs, n = JUDGED[task]
    rng = random.Random(1)
    attempts = [
        Attempt(
            query_id=query_id(problem.messages),
            attempt=1,
            category=problem.category,
            messages=problem.messages,
            reference=problem.reference,
            text=trace(problem, style, rng, label_noise=label_noise),
            finish_reason="stop",
        )
        for problem in problems(Synthetic(task=task, n=n, seed=1), seed=0)
    ]
    return [verdict.score for verdict in verifier.score(attempts, knobs=knobs)]


@pytest.mark.parametrize("style", ["terse", "steps", "verbose"])
@pytest.mark.parametrize("task", JUDGED)
def test_a_trace_without_noise_is_verified(task: str, style: Style) -> None:
    assert set(_scores(task, style)) == {1.0}


@pytest.mark.parametrize("task", JUDGED)
def test_a_noisy_label_is_not(task: str) -> None:
    scores = _scores(task, "terse", label_noise=1.0)
    # A constraint that is left out can be met by chance, a slip can agree on every assert.
    assert sum(score == 1.0 for score in scores) / len(scores) < 0.35


@pytest.mark.parametrize("task", ["arithmetic", "multi_turn", "code"])
def test_plain_text_of_the_base_solves_nothing(task: str) -> None:
    assert 1.0 not in _scores(task, "plain")
