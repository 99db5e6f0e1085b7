"""Sentences, scores, colours and charts of the report: nothing is said that the data do not decide."""

from __future__ import annotations

import itertools
import json
import re
from xml.etree import ElementTree

import pytest
from pydantic import TypeAdapter

from sourcewise.params.datasets import Dataset
from sourcewise.params.students import Report, Student
from sourcewise.report import charts, corpus, svg, wording
from sourcewise.report.colours import assign
from sourcewise.report.rows import unequal
from sourcewise.report.scores import Score, compare, score
from sourcewise.report.seeds import pooled
from sourcewise.report.teacher_figures import OUTCOMES
from sourcewise.report.teachers import ACCEPTED, REJECTED
from sourcewise.report.verdict import answer
from sourcewise.tables import STATUSES, Verdict

QUESTIONS = [f"q{n:02d}" for n in range(20)]
# Of four samples, how many a student gets right on each of 20 questions.
RIGHT = {"good": [4] * 18 + [2] * 2, "poor": [1] * 10 + [0] * 10, "base": [0] * 20}


def verdict(question: str, attempt: int, value: float | None, status: str = "scored") -> Verdict:
    return Verdict(question, attempt, status, value, "said 4", "math", "1")


def graded(name: str) -> list[Verdict]:
    return [
        verdict(question, attempt, float(attempt <= right))
        for question, right in zip(QUESTIONS, RIGHT[name], strict=True)
        for attempt in range(1, 5)
    ]


def scored(student: str, grades: list[Verdict], benchmark: str = "exam") -> Score:
    return score(student, benchmark, grades=grades, samples=[], confidence=0.95)


def said(*scores: Score) -> str:
    compared = compare(scores, confidence=0.95, resamples=1000, seed=1)
    return str(answer(scores, compared, 0.95).headline.striptags()).replace("\xa0", " ")


def test_what_the_verifier_could_not_judge_is_neither_right_nor_wrong() -> None:
    one, other = QUESTIONS[:2]
    grades = [verdict(one, 1, 1.0), verdict(one, 2, None, "infrastructure"),
              verdict(other, 1, None, "unavailable"), verdict(other, 2, None, "no_answer")]  # fmt: skip
    found = scored("s", grades)
    assert found.means == {one: 1.0, other: 0.0}
    assert found.unjudged == 2


def test_a_partial_score_is_not_correct() -> None:
    assert scored("s", [verdict(QUESTIONS[0], 1, 0.9)]).means[QUESTIONS[0]] == 0.0


def test_questions_weigh_the_same_whatever_their_number_of_samples() -> None:
    one, other = QUESTIONS[:2]
    grades = [verdict(one, k, 1.0) for k in range(1, 9)] + [verdict(other, 1, 0.0)]
    found = scored("s", grades)
    assert found.interval is not None
    assert found.interval.value == 0.5
    assert (found.fewest, found.most) == (1, 8)


def test_students_that_score_alike_have_no_winner() -> None:
    headline = said(scored("a", graded("good")), scored("b", graded("good")))
    assert headline == (
        "No single best student: a and b are not distinguishable. "
        "No difference between them was seen."
    )


def test_equal_scores_have_no_highest_one() -> None:
    scores = [scored("one", graded("base")), scored("two", graded("base"))]
    compared = compare(scores, confidence=0.95, resamples=1000, seed=1)
    (sentence,) = answer(scores, compared, 0.95).sentences
    assert sentence.striptags().startswith("On exam all scores are equal, 0.0")
    assert "highest" not in sentence


def test_a_small_lead_is_not_called_better_and_the_missing_questions_are_named() -> None:
    ahead = [verdict(q, 1, float(n < 11)) for n, q in enumerate(QUESTIONS)]
    behind = [verdict(q, 1, float(n < 8 or n in (12, 13))) for n, q in enumerate(QUESTIONS)]
    headline = said(scored("a", ahead), scored("b", behind))
    assert "a and b are not distinguishable" in headline
    assert re.search(
        r"a is 5\.0 points ahead of b on exam \(95 % interval −.* more questions", headline
    )


def test_beaten_students_are_named_beside_those_that_are_not_distinguishable() -> None:
    headline = said(*(scored(name, graded("good")) for name in "ab"), scored("c", graded("base")))
    assert headline.endswith("c is beaten.")


def test_a_winner_on_one_benchmark_only_is_qualified() -> None:
    headline = said(
        scored("a", graded("good")), scored("b", graded("poor")),
        scored("a", graded("poor"), "other"), scored("b", graded("poor"), "other"),
    )  # fmt: skip
    assert headline.startswith("a scores 95.0 % on exam, 82.5 points above b")
    assert "; on other b is not distinguishable from it" in headline


def test_a_winner_is_shown_where_it_beats_the_most_others() -> None:
    headline = said(
        scored("a", graded("good")), scored("b", graded("good")), scored("c", graded("base")),
        scored("a", graded("good"), "other"), scored("b", graded("poor"), "other"),
        scored("c", graded("base"), "other"),
    )  # fmt: skip
    assert headline.startswith("a scores 95.0 % on other, 82.5 points above b")
    assert "; on exam b is not distinguishable from it" in headline


def test_benchmarks_that_contradict_each_other_give_no_winner() -> None:
    headline = said(
        scored("a", graded("good")), scored("b", graded("poor")),
        scored("a", graded("poor"), "other"), scored("b", graded("good"), "other"),
    )  # fmt: skip
    assert headline.startswith("The answer depends on the benchmark")


def test_one_student_is_compared_with_nothing() -> None:
    assert said(scored("a", graded("good"))).startswith("Only a was measured")


def test_students_on_different_questions_are_not_compared() -> None:
    half = len(QUESTIONS) // 2 * 4
    headline = said(scored("a", graded("good")[:half]), scored("b", graded("good")[half:]))
    assert headline == "The students share no question, so they cannot be compared."


def pool(*found: Score) -> list[Score]:
    students = {
        "good": Student(dataset="d", seed=1), "again": Student(dataset="d", seed=2),
        "twin": Student(dataset="d", seed=2), "poor": Student(dataset="e", seed=1),
        "base": Student(dataset=None, seed=1),
    }  # fmt: skip
    return pooled(found, students, reference="base", confidence=0.95)


def test_students_of_several_seeds_are_one_with_wider_intervals_for_all_that_are_trained() -> None:
    worse = [verdict(q, k, float(k <= 2)) for q in QUESTIONS for k in range(1, 5)]
    alone = {name: scored(name, graded(name)) for name in ("good", "poor", "base")}
    found = {one.student: one for one in pool(*alone.values(), scored("again", worse))}
    assert list(found) == ["good", "poor", "base"]
    assert found["good"].seeds == {"good": 0.95, "again": 0.5}
    assert found["good"].means[QUESTIONS[0]] == 0.75
    intervals = {name: (one.interval, alone[name].interval) for name, one in found.items()}
    for name in ("good", "poor"):
        ours, before = intervals[name]
        assert ours is not None
        assert before is not None
        assert ours.high - ours.low > before.high - before.low
    assert intervals["base"][0] == intervals["base"][1]


def test_a_seed_that_was_asked_half_the_questions_counts_on_the_shared_ones() -> None:
    (found,) = pool(scored("good", graded("good")), scored("again", graded("poor")[:40]))
    assert list(found.means) == QUESTIONS[:10]


def test_a_second_student_of_the_same_seed_is_no_second_seed() -> None:
    found = pool(*(scored(name, graded("good")) for name in ("good", "again", "twin")))
    assert [(one.student, len(one.seeds)) for one in found] == [("good", 2), ("twin", 1)]


def test_a_lead_within_the_luck_of_training_is_not_called_better() -> None:
    lucky = [verdict(q, 1, float(n < 19)) for n, q in enumerate(QUESTIONS)]
    unlucky = [verdict(q, 1, float(n < 9)) for n, q in enumerate(QUESTIONS)]
    poor = [verdict(q, 1, float(n < 6)) for n, q in enumerate(QUESTIONS)]
    once = compare(
        [scored("good", lucky), scored("poor", poor)], confidence=0.95, resamples=1000, seed=1
    )
    twice = compare(
        pool(scored("good", lucky), scored("again", unlucky), scored("poor", poor)),
        confidence=0.95, resamples=1000, seed=1,
    )  # fmt: skip
    assert [pair.better for pair in (*once, *twice)] == [True, False]
    assert twice[0].difference.luck > 0


def test_students_that_were_not_asked_alike_are_named() -> None:
    few = [verdict(q, 1, 1.0) for q in QUESTIONS]
    half = unequal([scored("good", graded("good")), scored("poor", graded("poor")[:40])])
    assert half == [
        "On exam the students have judged answers to different questions (good 20 and poor 10): "
        "only differences over shared questions compare them."
    ]
    assert unequal([scored("good", graded("good")), scored("poor", few)]) == [
        "On exam a question has 1 to 4 judged samples; every question weighs the same."
    ]
    assert unequal([scored("good", graded("good")), scored("poor", [])]) == []


def test_names_are_escaped_in_sentences() -> None:
    found = [scored("<b>", graded("good"))]
    assert "&lt;b&gt;" in answer(found, [], 0.95).headline


def test_rows_that_vanish_without_a_reject_become_a_step_of_their_own() -> None:
    steps = corpus.waterfall("corpus", 10, {}, "examples", 7, order=())
    assert [(step.label, step.left, step.removed) for step in steps] == [
        ("corpus", 10, 0), ("without a recorded reason", 7, 3), ("examples", 7, 0)
    ]  # fmt: skip


def test_steps_of_a_waterfall_follow_the_stages_and_then_the_commonest_reason() -> None:
    reasons = {("second", "b"): 1, ("first", "rare"): 1, ("first", "common"): 2}
    steps = corpus.waterfall("corpus", 9, reasons, "examples", 5, order=("first", "second"))
    labels = [step.label for step in steps]
    assert labels == ["corpus", "first: common", "first: rare", "second: b", "examples"]


def test_a_student_wears_the_colour_of_its_only_teacher() -> None:
    recipe = {
        "min_score": 0.9,
        "solved_by": [],
        "lengths_of": None,
        "filters": [],
        "max_examples": None,
        "seed": 1,
    }
    datasets = TypeAdapter(dict[str, Dataset]).validate_json(
        json.dumps({
            "mixed": recipe | {"teachers": ["a", "b"]}, "of_b": recipe | {"teachers": ["b"]},
            "again": recipe | {"teachers": ["b"]},
        })
    )  # fmt: skip
    students = {name: Student(dataset=name, seed=1) for name in datasets}
    students["base"] = Student(dataset=None, seed=1)
    colours = assign({"a": None, "b": None}, datasets, students)
    assert colours.students["of_b"] == colours.datasets["of_b"] == colours.teachers["b"]
    assert len({*colours.students.values()}) == 4


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.094, "+9.4"), (-0.0270, "−2.7"), (-0.0001, "0.0"), (0.0, "0.0"), (0.1, "+10.0")],
)
def test_points_carry_a_sign_unless_they_are_zero(value: float, text: str) -> None:
    assert wording.points(value) == text


@pytest.mark.parametrize(
    ("n", "text"), [(7, "7"), (263, "270"), (3181, "3,200"), (10**7, "more than 100,000")]
)
def test_forecasts_are_rounded_up_to_two_digits(n: int, text: str) -> None:
    assert wording.about(n) == text


@pytest.mark.parametrize(
    "scale", [svg.Scale(0, 0.73, 0, 100), svg.Scale(9, 1500, 0, 100, log=True)]
)
def test_ticks_are_few_and_inside_the_scale(scale: svg.Scale) -> None:
    ticks = scale.ticks(6)
    assert 2 <= len(ticks) <= 8
    assert all(scale.low <= tick <= scale.high for tick in ticks)


@pytest.mark.parametrize("low", [0.9, 40, 3_000])
def test_labels_of_ticks_do_not_touch(low: float) -> None:
    scale = svg.Scale(low, 90 * low, 0, 230, log=True)
    labels = svg.labelled_ticks(scale, wording.count, 7)
    assert len(labels) > 1
    ends = [(scale(v) - svg.text_width(t) / 2, scale(v) + svg.text_width(t) / 2) for v, t in labels]
    assert all(left[1] < right[0] for left, right in itertools.pairwise(ends))


def test_a_distribution_of_one_value_can_be_drawn() -> None:
    drawn = charts.ridges([charts.Ridge("t", "c0", [5.0])], label="l", tick=wording.decimal)
    ElementTree.fromstring(drawn)


def test_long_lines_are_thinned() -> None:
    points = [(float(x), 1.0) for x in range(10_000)]
    drawn = charts.lines([charts.Series("s", "c0", points)], label="l", x_name="x",
                         x_tick=wording.count, y_tick=wording.decimal)  # fmt: skip
    assert len(drawn) < 10_000


def test_a_confidence_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="confidence"):
        Report(confidence=1.0, resamples=1000, reference=None, title="t", audit=None, forecast=None)


def test_every_outcome_of_an_attempt_is_drawn() -> None:
    assert OUTCOMES.keys() == {ACCEPTED, REJECTED, *STATUSES} - {"scored"}
