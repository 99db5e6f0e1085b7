"""What the report does with questions in doubt, with samples that ran on, and with data that are uneven."""

from __future__ import annotations

from pathlib import Path

import pytest

from finished_run import (
    QUERIES,
    QUESTIONS,
    Tree,
    graded,
    reject,
    verdict,
    write_corpus,
    write_dataset,
    write_errata,
    write_student,
    write_teacher,
)
from sourcewise import tables
from sourcewise.filters import benchmark_text
from sourcewise.params.datasets import BenchmarkTextFilter
from sourcewise.recipes.candidates import Candidate
from sourcewise.report.scores import score
from sourcewise.report.subsets import suspects
from sourcewise.tables import Message, Query, Reject, Response
from sourcewise.text import query_id


def _sample(n: int, text: str, ended: str) -> Response:
    one = QUESTIONS[n]
    return Response(one.query_id, 1, "good", text, ended, 100, 5, 1, "vllm", "r1")


def test_samples_that_were_cut_and_samples_that_loop_are_counted_apart() -> None:
    looping = "so we try again with the next value of n minus one " * 30
    samples = [
        _sample(0, "<answer>4</answer>", "stop"), _sample(1, "and so on", "length"),
        _sample(2, looping, "length"), _sample(3, f"{looping}<answer>4</answer>", "stop"),
    ]  # fmt: skip
    found = score("s", "exam", grades=[], samples=samples, confidence=0.95)
    assert (found.truncated, found.looping, found.stuck) == (0.5, 0.5, 0.25)
    none = score("s", "exam", grades=[], samples=[], confidence=0.95)
    assert (none.truncated, none.looping, none.stuck) == (None, None, None)


def test_scores_are_shown_with_and_without_questions_known_to_be_wrong(tree: Tree) -> None:
    write_errata(tree, QUESTIONS[-2:])
    page, summary = tree.report()
    (known,) = summary["without"]
    assert (known["why"], known["questions"]) == ("known errors", 2)
    # `good` has half of its samples right at the last two questions, all at the others.
    assert known["scores"]["good"]["score"] == 1.0
    assert summary["scores"]["exam"]["good"]["score"] == pytest.approx(0.95)
    assert known["changed_verdicts"] == {}
    assert "exam without known errors: no verdict changes." in page


def test_a_verdict_that_hangs_on_doubtful_questions_is_named(tree: Tree) -> None:
    write_errata(tree, QUESTIONS[:14])
    _, summary = tree.report()
    changed = summary["without"][0]["changed_verdicts"]
    assert summary["pairs"]["exam"]["poor over base"]["verdict"] == "better"
    assert changed["poor over base"]["with"] == "better"
    assert "not distinguishable" in changed["poor over base"]["without"]


def test_without_any_question_left_there_is_no_score(tree: Tree) -> None:
    write_errata(tree, QUESTIONS)
    page, summary = tree.report()
    assert summary["without"][0]["scores"]["good"]["score"] is None
    assert summary["without"][0]["changed_verdicts"]["good over base"]["without"] == "no data"
    assert "no data" in page


def test_suspects_are_items_that_a_query_matched_or_a_response_recited() -> None:
    words = "A farmer counts seventeen brown hens and nine white ducks beside the old wooden barn"
    message = [Message("user", words)]
    item = Query(query_id(message), "exam", "math", message, "", "CC0")
    asked = [Message("user", "Tell me something.")]
    other = Query(query_id(asked), "chat", "dialogue", asked, "{}", "CC0")
    response = Response(other.query_id, 1, "t", f"Well: {words}. So?", "stop", 9, 9, 1, "vllm", "r")
    spec = BenchmarkTextFilter(filter="benchmark_text", n=8, share=0.6)
    check = benchmark_text.prepare(spec, lambda: iter(()), [item])
    drop = check(Candidate(other, response, None, None))
    assert drop is not None
    rejects = [Reject(other.query_id, "chat", "benchmark_text", drop.reason, drop.value)]
    assert suspects([], rejects) == {"exam": frozenset({item.query_id})}


def test_recitals_that_a_dataset_dropped_are_shown_without(tree: Tree) -> None:
    one = QUESTIONS[-1]
    value = f"exam/{one.query_id} 1.000: some words"
    found = Reject(QUERIES[5].query_id, "sums", "length", "exact", value)
    path = tree.data / "datasets/good/rejects.parquet"
    tables.write(path, Reject, [*tables.read(path, Reject), found])
    tree.others = {"filters": {"length": {"filter": "benchmark_text", "n": 13, "share": 0.6}}}
    _, summary = tree.report()
    (suspected,) = summary["without"]
    # The evidence of the fixture names an item that the benchmark does not ask: it is not counted.
    assert (suspected["why"], suspected["questions"]) == ("suspected contamination", 1)
    assert suspected["scores"]["good"]["score"] == pytest.approx((18 + 0.5) / 19)


@pytest.fixture
def lone(tmp_path: Path) -> Tree:
    """One teacher that was never accepted, an empty dataset, and the base beside nobody."""
    made = Tree(tmp_path)
    made.only = "good"
    write_corpus(made, QUERIES, removed=[])
    write_teacher(made, "good", [[verdict(one, 1, 0.0) for one in QUERIES], []])
    write_dataset(made, "good", [], [reject(one, "select", "below_min_score") for one in QUERIES])
    write_student(made, "good", [])
    return made


def test_one_teacher_without_an_accepted_answer_makes_a_report_that_says_so(lone: Tree) -> None:
    page, summary = lone.report()
    assert summary["answer"] == "No student was measured, so there is no answer yet."
    assert summary["teachers"]["good"]["first"] == 0.0
    assert summary["teachers"]["good"]["attempts_per_success"] is None
    assert summary["datasets"]["good"]["examples"] == 0
    assert "no data" in page


def test_one_student_has_its_score_and_nothing_to_compare_it_with(lone: Tree) -> None:
    write_student(lone, "good", graded("good"))
    _, summary = lone.report()
    assert summary["answer"] == "Only good was measured: there is nothing to compare it with."
    assert summary["scores"]["exam"]["good"]["pass_at_k"] == 1.0
    assert summary["pairs"] == {}


def test_half_of_the_samples_of_a_student_compare_it_on_the_questions_it_answered(
    tree: Tree,
) -> None:
    half = [grade for grade in graded("good") if grade.attempt <= 2]
    write_student(tree, "good", half)
    page, summary = tree.report()
    assert summary["scores"]["exam"]["good"]["samples"] == 40
    assert summary["pairs"]["exam"]["good over poor"]["questions"] == 20
    assert "a question has 2 to 4 judged samples" in page
    write_student(tree, "good", graded("good")[:40])
    page, summary = tree.report()
    assert summary["pairs"]["exam"]["good over poor"]["questions"] == 10
    assert "judged answers to different questions (good 10, poor 20 and base 20)" in page


def test_a_question_of_one_sample_says_nothing_of_the_luck_of_samples(tree: Tree) -> None:
    for name in ("good", "poor"):
        ones = [grade for grade in graded(name) if grade.attempt == 1 or grade.query_id < "8"]
        write_student(tree, name, ones)
    _, summary = tree.report()
    assert summary["pairs"]["exam"]["good over poor"]["of_it_sampling"] is None
    assert summary["pairs"]["exam"]["good over base"]["of_it_sampling"] is None


def test_what_more_samples_and_more_questions_would_show_is_named(tree: Tree) -> None:
    # Chance within the questions is all there is: of four samples two are right, not always the same.
    shuffled = [
        verdict(q, k, float((n + k) % 2)) for n, q in enumerate(QUESTIONS) for k in (1, 2, 3, 4)
    ]
    write_student(tree, "good", shuffled)
    half = [
        verdict(q, k, float(k <= 2 + (n % 5 == 0)))
        for n, q in enumerate(QUESTIONS)
        for k in (1, 2, 3, 4)
    ]
    write_student(tree, "poor", half)
    page, summary = tree.report()
    told = summary["power"]["exam"]
    assert told["with_4_times_the_samples"] < told["smallest_lead"]
    assert told["with_4_times_the_questions"] == pytest.approx(told["smallest_lead"] / 2)
    assert told["finds_2_points"] < told["finds_5_points"] < told["finds_10_points"]
    assert "What these benchmarks can tell" in page
    pair = summary["pairs"]["exam"]["poor over good"]
    assert pair["of_it_sampling"] > pair["variance_of_question"]
    assert pair["more_samples"] >= 1
    assert "more questions, or about" in pair["verdict"]
