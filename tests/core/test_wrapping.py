"""Raw texts become `<think>…</think><answer>…</answer>` by the rule their teacher names."""

import json
from pathlib import Path

import pytest

from sourcewise.params.distill import Wrap
from sourcewise.text import final_answer
from sourcewise.wrapping import wrap

MARKER = Wrap(rule="marker", marker="A:")
AFTER, WHOLE, NONE = Wrap(rule="after_think"), Wrap(rule="whole"), Wrap(rule="none")
GSM8K = Path(__file__).parents[3] / "shared/data/gsm8k/example_model_solutions.jsonl"


@pytest.mark.parametrize(
    ("rule", "raw", "wrapped"),
    [
        (MARKER, "16 + 10 = 26\nA: 26", "<think>16 + 10 = 26</think><answer>26</answer>"),
        (MARKER, "A: 1\nno,\nA: 2", "<think>A: 1\nno,</think><answer>2</answer>"),
        (MARKER, "<think>x</think>so\nA: 2", "<think>x\nso</think><answer>2</answer>"),
        (AFTER, "<think>\na\n</think>\n\nb\n", "<think>\na\n</think><answer>b</answer>"),
        (AFTER, "a</think>b", "<think>a</think><answer>b</answer>"),
        (AFTER, "no reasoning at all", "no reasoning at all"),
        (WHOLE, " two\nlines ", "<answer> two\nlines </answer>"),
        (NONE, "a</think>b", "a</think>b"),
    ],
)
def test_a_rule_finds_the_answer(rule: Wrap, raw: str, wrapped: str) -> None:
    assert wrap(raw, rule) == wrapped


@pytest.mark.parametrize("rule", [MARKER, AFTER, WHOLE, NONE])
@pytest.mark.parametrize(
    "raw",
    ["<think>a</think> <answer>b</answer>", "<answer>b</answer>", "<think>never closed\nA: 1"],
)
def test_what_is_tagged_or_cut_off_is_left_alone(rule: Wrap, raw: str) -> None:
    assert wrap(raw, rule) == raw


@pytest.mark.parametrize("rule", [MARKER, AFTER, WHOLE])
def test_wrapping_twice_changes_nothing(rule: Wrap) -> None:
    once = wrap("<think>a</think>b\nA: c", rule)
    assert wrap(once, rule) == once


def test_without_the_marker_line_there_is_no_answer() -> None:
    assert final_answer(wrap("18 - 4 = 14\nShe keeps 18 -", MARKER)) is None
    assert final_answer(wrap("The answer is A: 3", MARKER)) is None


@pytest.mark.skipif(not GSM8K.exists(), reason="../shared/data is not beside the repository")
def test_released_gsm8k_solutions_end_in_their_marked_answer() -> None:
    models = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
    rows = [json.loads(line) for line in GSM8K.open(encoding="utf-8")]
    answers = [
        final_answer(wrap(row[model]["solution"], MARKER)) for row in rows for model in models
    ]
    assert len(answers) == 5276
    assert answers.count(None) == 11, "eleven were cut off before their answer"
    assert answers[0] == "26"
