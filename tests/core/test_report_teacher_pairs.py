"""Teachers against each other: paired, corrected, and what real labels say."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from test_report_figures import RIGHT, UNJUDGED, WRONG, numbers

from finished_run import Tree
from sourcewise import statistics
from sourcewise.report.teacher_pairs import _newcombe, pairs

SHARED = Path(__file__).resolve().parents[3] / "shared/data/gsm8k"
ORDER = ("175b_verification", "6b_verification", "175b_finetuning", "6b_finetuning")


def test_only_queries_that_both_were_judged_at_count() -> None:
    one = numbers("one", [[RIGHT], [RIGHT], [UNJUDGED], [WRONG, RIGHT]])
    two = numbers("two", [[WRONG], [RIGHT], [RIGHT], [RIGHT]])
    (pair,) = pairs([one, two], 0.95)
    assert pair.difference.n == 3
    # A second attempt that is right makes the first one no better.
    assert (pair.only_first, pair.only_second, pair.difference.value) == (1, 1, 0.0)
    assert pair.word == "not distinguishable (no difference was seen)"


def test_the_better_teacher_stands_first_and_the_rest_says_what_is_missing() -> None:
    often = numbers("often", [[RIGHT]] * 90 + [[WRONG]] * 10)
    seldom = numbers("seldom", [[WRONG]] * 50 + [[RIGHT]] * 50)
    close = numbers("close", [[RIGHT]] * 86 + [[WRONG]] * 14)
    found = {(pair.first, pair.second): pair for pair in pairs([seldom, often, close], 0.95)}
    assert found["often", "seldom"].word == "better"
    assert found["often", "close"].word.startswith("not distinguishable (needs about ")
    # Three pairs are corrected for.
    alone = pairs([seldom, often], 0.95)[0]
    assert found["often", "seldom"].corrected == pytest.approx(3 * alone.corrected)


def test_one_teacher_and_teachers_of_no_shared_query_make_no_pair() -> None:
    one = numbers("one", [[RIGHT], [UNJUDGED]])
    two = numbers("two", [[UNJUDGED], [RIGHT]])
    assert pairs([one], 0.95) == []
    assert pairs([one, two], 0.95) == []


@pytest.mark.parametrize(("first", "second"), [(0, 0), (3, 1), (9, 2), (7, 7)])
def test_the_test_is_the_sign_flip_of_students(first: int, second: int) -> None:
    """With so few that differ, both are exact."""
    one = numbers("one", [[RIGHT]] * first + [[WRONG]] * second + [[RIGHT]] * 20)
    two = numbers("two", [[WRONG]] * first + [[RIGHT]] * second + [[RIGHT]] * 20)
    (pair,) = pairs([one, two], 0.95)
    signs = np.array([1.0] * first + [-1.0] * second + [0.0] * 20)
    flipped = statistics.sign_flip(signs, 1, np.random.default_rng(1))
    assert pair.difference.p == pytest.approx(flipped, abs=1e-12)


@pytest.mark.parametrize(
    ("n", "shares"), [(100, (0.5, 0.6)), (100, (0.9, 0.97)), (1000, (0.8, 0.82))]
)
def test_the_interval_holds_the_true_difference(n: int, shares: tuple[float, float]) -> None:
    rng = np.random.default_rng(7)
    runs, held = 1000, 0
    for _ in range(runs):
        # Correlated by a difficulty that both share.
        hard = rng.random(n)
        one, two = (0.5 * (hard < s) + 0.5 * (rng.random(n) < s) > rng.random(n) for s in shares)
        counts = (int((one & ~two).sum()), int((two & ~one).sum()), int((one & two).sum()))
        low, high = _newcombe(*counts, n, 0.95)
        held += low <= shares[0] - shares[1] <= high
    assert 0.93 <= held / runs <= 0.985


def test_a_report_lists_the_pairs(tree: Tree) -> None:
    page, summary = tree.report()
    found = summary["teacher_pairs"]["good over poor"]
    assert (found["difference"], found["queries"], found["verdict"]) == (0.75, 8, "better")
    assert "Every pair of teachers" in page


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no {SHARED}")
def test_the_labels_of_four_models_on_gsm8k_give_one_order() -> None:
    """A verifier beats finetuning, even 6 billion parameters with it 175 billion without (arXiv 2110.14168)."""
    with (SHARED / "example_model_solutions.jsonl").open() as file:
        rows = [json.loads(line) for line in file]
    teachers = [
        numbers(name, [[RIGHT if row[name]["is_correct"] else WRONG] for row in rows])
        for name in sorted(ORDER)
    ]
    right = {name: sum(row[name]["is_correct"] for row in rows) for name in ORDER}
    found = {(pair.first, pair.second): pair for pair in pairs(teachers, 0.95)}
    assert set(found) == set(itertools.combinations(ORDER, 2))
    for (one, other), pair in found.items():
        assert pair.word == "better"
        assert pair.difference.n == len(rows) == 1319
        assert pair.difference.value == pytest.approx((right[one] - right[other]) / 1319)
