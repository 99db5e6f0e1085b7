"""select: which attempt a recipe takes, and that every query it does not take has a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sourcewise import tables
from sourcewise.params.datasets import Dataset
from sourcewise.recipes.selection import first_passing
from sourcewise.stages import select
from sourcewise.tables import Message, Query, Reject, Selected, Verdict
from sourcewise.text import query_id, shard_ids

SHARDS = ("0000", "0001")
Outcomes = list[float | str]


def _recipe(**changes: Any) -> Dataset:
    recipe: dict[str, Any] = {
        "teachers": ("a",),
        "min_score": 0.9,
        "solved_by": (),
        "lengths_of": None,
        "filters": (),
        "max_examples": None,
        "seed": 1,
    }
    return Dataset(**(recipe | changes))


def _verdict(identity: str, attempt: int, outcome: float | str) -> Verdict:
    if isinstance(outcome, str):
        return Verdict(identity, attempt, outcome, None, "", "math", "1")
    return Verdict(identity, attempt, "scored", outcome, "", "math", "1")


def _write(folder: Path, attempts: dict[str, dict[str, Outcomes]]) -> tuple[Path, tuple[Path, ...]]:
    """Tables of a corpus of all questions and of the rounds of each teacher: {teacher: {question: …}}."""
    questions = sorted({question for outcomes in attempts.values() for question in outcomes})
    queries = [_query(question) for question in questions]
    for number, shard in enumerate(SHARDS):
        first, end = shard_ids(number, len(SHARDS))
        own = [query for query in queries if first <= query.query_id < end]
        tables.write(folder / f"corpus/{shard}.parquet", Query, own)
        for teacher, outcomes in attempts.items():
            _rounds(folder / teacher, shard, {q.query_id for q in own}, outcomes)
    manifests: dict[str, dict[str, Any]] = {"manifest.json": {"shards": SHARDS}}
    for teacher, outcomes in attempts.items():
        rounds = max(map(len, outcomes.values()))
        manifests[f"{teacher}/manifest.json"] = {
            "teacher": teacher,
            "attempts": rounds,
            "shards": SHARDS,
        }
    for name, content in manifests.items():
        (folder / name).write_text(json.dumps(content))
    return folder / "manifest.json", tuple(folder / t / "manifest.json" for t in attempts)


def _rounds(folder: Path, shard: str, own: set[str], outcomes: dict[str, Outcomes]) -> None:
    for attempt in range(1, max(map(len, outcomes.values())) + 1):
        verdicts = [
            _verdict(_query(question).query_id, attempt, given[attempt - 1])
            for question, given in outcomes.items()
            if len(given) >= attempt and _query(question).query_id in own
        ]
        tables.write(folder / f"round-{attempt}/{shard}.verdicts.parquet", Verdict, verdicts)


def _query(question: str) -> Query:
    turns = [Message("user", question)]
    return Query(query_id(turns), "source", "math", turns, "", "MIT")


def _select(
    folder: Path, attempts: dict[str, dict[str, Outcomes]], recipe: Dataset
) -> tuple[list[Selected], list[Reject]]:
    queries, teachers = _write(folder, attempts)
    out, rejects = folder / "selected.parquet", folder / "rejects.parquet"
    select.run(dataset=recipe, seed=7, queries=queries, teachers=teachers, out=out, rejects=rejects)
    return list(tables.read(out, Selected)), list(tables.read(rejects, Reject))


def _id(question: str) -> str:
    return _query(question).query_id


def test_the_first_attempt_that_reaches_the_score_is_taken(tmp_path: Path) -> None:
    attempts: dict[str, Outcomes] = {"q": [0.5, "timeout", 0.95, 1.0]}
    selected, rejects = _select(tmp_path, {"a": attempts}, _recipe())
    assert selected == [Selected(_id("q"), "a", 3, 0.95)]
    assert rejects == []


@pytest.mark.parametrize(("take", "attempt"), [("first", 2), ("best", 3), ("last", 4)])
def test_a_recipe_may_want_another_of_the_passing_attempts(
    tmp_path: Path, take: str, attempt: int
) -> None:
    outcomes: Outcomes = [0.2, 0.9, 1.0, 1.0, "timeout"]
    [row], _ = _select(tmp_path, {"a": {"q": outcomes}}, _recipe(take=take))
    assert (row.attempt, row.score) == (attempt, outcomes[attempt - 1])


def test_without_a_score_there_is_nothing_to_choose_by() -> None:
    with pytest.raises(ValueError, match="'take' best needs 'min_score'"):
        _recipe(take="best", min_score=None)


def test_the_score_itself_is_enough(tmp_path: Path) -> None:
    selected, _ = _select(tmp_path, {"a": {"q": [0.9]}}, _recipe())
    assert selected == [Selected(_id("q"), "a", 1, 0.9)]


@pytest.mark.parametrize(
    ("outcomes", "reason", "value"),
    [
        ([0.0, 0.5], "below_min_score", "a, attempt 2: score 0.5"),
        ([0.0, "no_answer"], "unverified: no_answer", "a, attempt 2: no_answer"),
        (["unavailable"], "unverified: unavailable", "a, attempt 1: unavailable"),
    ],
)
def test_a_query_that_is_not_taken_says_how_its_last_attempt_ended(
    tmp_path: Path, outcomes: Outcomes, reason: str, value: str
) -> None:
    attempts: dict[str, dict[str, Outcomes]] = {"a": {"good": [1.0], "bad": outcomes}}
    _, rejects = _select(tmp_path, attempts, _recipe())
    assert rejects == [Reject(_id("bad"), "source", "select", reason, value)]


def test_without_a_score_the_first_attempt_is_taken_whatever_its_verdict(tmp_path: Path) -> None:
    attempts: dict[str, Outcomes] = {"p": [0.0, 1.0], "q": ["truncated", 1.0]}
    selected, rejects = _select(tmp_path, {"a": attempts}, _recipe(min_score=None))
    assert {(row.query_id, row.attempt, row.score) for row in selected} == {
        (_id("p"), 1, 0.0),
        (_id("q"), 1, None),
    }
    assert rejects == []


@pytest.mark.parametrize("min_score", [0.9, None])
def test_a_prompt_that_did_not_fit_is_a_reject_of_every_recipe(
    tmp_path: Path, min_score: float | None
) -> None:
    attempts: dict[str, Outcomes] = {"p": [1.0], "q": ["prompt_too_long"]}
    selected, rejects = _select(tmp_path, {"a": attempts}, _recipe(min_score=min_score))
    assert [row.query_id for row in selected] == [_id("p")]
    assert rejects == [Reject(_id("q"), "source", "select", "prompt_too_long", "a")]


def test_an_empty_response_comes_into_no_dataset(tmp_path: Path) -> None:
    attempts: dict[str, Outcomes] = {"p": ["no_response", 1.0], "q": [1.0]}
    selected, rejects = _select(tmp_path, {"a": attempts}, _recipe(min_score=None))
    assert [row.query_id for row in selected] == [_id("q")]
    assert rejects == [Reject(_id("p"), "source", "select", "no_response", "a")]
    selected, rejects = _select(tmp_path, {"a": attempts}, _recipe(min_score=0.9))
    assert {(row.query_id, row.attempt) for row in selected} == {(_id("p"), 2), (_id("q"), 1)}
    assert rejects == []


def test_a_query_that_was_never_asked_is_a_reject(tmp_path: Path) -> None:
    attempts: dict[str, dict[str, Outcomes]] = {"a": {"p": [1.0]}, "b": {"p": [1.0], "q": [1.0]}}
    _, rejects = _select(tmp_path, attempts, _recipe(min_score=None))
    assert [(r.query_id, r.reason, r.value) for r in rejects] == [(_id("q"), "no_attempt", "a")]


BOTH: dict[str, dict[str, Outcomes]] = {
    "a": {"p": [1.0], "q": [1.0], "r": [0.0, 1.0]},
    "b": {"p": [0.0, 1.0], "q": [0.0, 0.0], "r": [1.0]},
}


def test_every_teacher_of_a_recipe_brings_its_own_rows(tmp_path: Path) -> None:
    selected, rejects = _select(tmp_path, BOTH, _recipe(teachers=("b", "a")))
    taken = [(row.query_id, row.teacher, row.attempt) for row in selected]
    expected = [("p", "b", 2), ("p", "a", 1), ("q", "a", 1), ("r", "b", 1), ("r", "a", 2)]
    place = {_id(question): _id(question) for question in "pqr"}
    assert taken == sorted(
        ((_id(q), teacher, attempt) for q, teacher, attempt in expected),
        key=lambda row: (place[row[0]], "ba".index(row[1])),
    )
    assert [(r.query_id, r.value) for r in rejects] == [(_id("q"), "b, attempt 2: score 0")]


def test_only_queries_that_every_named_teacher_solved_stay(tmp_path: Path) -> None:
    selected, rejects = _select(tmp_path, BOTH, _recipe(solved_by=("a", "b")))
    assert {row.query_id for row in selected} == {_id("p"), _id("r")}
    assert {row.teacher for row in selected} == {"a"}
    assert [(r.query_id, r.reason, r.value) for r in rejects] == [
        (_id("q"), "not_solved_by_all", "b")
    ]


def test_a_subset_is_random_and_the_same_for_every_teacher(tmp_path: Path) -> None:
    questions = [f"What is {n} + 1?" for n in range(60)]
    attempts: dict[str, dict[str, Outcomes]] = {t: {q: [1.0] for q in questions} for t in "ab"}
    taken = {}
    for teacher in "ab":
        recipe = _recipe(teachers=(teacher,), max_examples=20)
        selected, rejects = _select(tmp_path, attempts, recipe)
        taken[teacher] = [row.query_id for row in selected]
        assert len(rejects) == 40
        assert {reject.reason for reject in rejects} == {"max_examples"}
    assert taken["a"] == taken["b"] == sorted(taken["a"])
    assert taken["a"] != sorted(map(_id, questions))[:20]
    other, _ = _select(tmp_path, attempts, _recipe(max_examples=20, seed=2))
    assert [row.query_id for row in other] != taken["a"]


@pytest.mark.parametrize("changes", [{"teachers": ("c",)}, {"solved_by": ("c",)}])
def test_a_teacher_without_a_manifest_is_an_error(tmp_path: Path, changes: Any) -> None:
    with pytest.raises(ValueError, match=r"no manifest of teacher 'c'.*there are \['a', 'b'\]"):
        _select(tmp_path, BOTH, _recipe(**changes))


def test_a_recipe_that_selects_nothing_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError,
        match=r"a at min_score 0.9 selects nothing: corpus 2 > selected 0.*below_min_score': 2",
    ):
        _select(tmp_path, {"a": {"p": [0.0], "q": [0.5]}}, _recipe())
    assert not (tmp_path / "selected.parquet").exists()


def test_solved_needs_a_score() -> None:
    with pytest.raises(ValueError, match="'solved_by' needs 'min_score'"):
        _recipe(min_score=None, solved_by=("a",))


outcome = st.one_of(
    st.sampled_from([0.0, 0.5, 0.7, 0.9, 1.0]), st.sampled_from(["timeout", "crash"])
)


@given(answers=st.lists(outcome, min_size=1, max_size=6), low=st.floats(0, 1), high=st.floats(0, 1))
def test_selection_at_a_threshold_is_what_a_loop_that_stops_there_gives(
    answers: Outcomes, low: float, high: float
) -> None:
    """The ledger holds a loop to the highest threshold; a lower one is then a pure selection."""
    low, high = min(low, high), max(low, high)

    def loop(threshold: float) -> list[Verdict]:
        asked = []
        for attempt, given_answer in enumerate(answers, start=1):
            asked.append(_verdict("x", attempt, given_answer))
            if asked[-1].score is not None and asked[-1].score >= threshold:
                break
        return asked

    stopped = loop(low)[-1]
    expected = stopped if stopped.score is not None and stopped.score >= low else None
    assert first_passing(loop(high), low) == expected
