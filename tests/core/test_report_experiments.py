"""Experiments of the report: what differs is read off the parameters, and nothing else is corrected for."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from finished_run import Tree
from sourcewise import tables
from sourcewise.params.root import ParamsError, load, parse
from sourcewise.params.students import Student, Train
from sourcewise.report.experiments import differences
from sourcewise.tables import Response, Verdict

TINY = Path(__file__).resolve().parents[2] / "params.yaml"
WORTH = {"question": "What is training worth?", "arms": ["base", "good", "poor"], "baseline": "base",
         "benchmarks": ["exam"]}  # fmt: skip


def test_a_section_states_the_question_the_arms_and_the_result(tree: Tree) -> None:
    tree.experiments = {"worth": WORTH}
    page, summary = tree.report()
    section = page[page.index('id="experiments"') : page.index('id="teachers"')]
    assert "What is training worth?" in section
    assert '<a href="#experiments">' in page
    found = summary["experiments"]["worth"]
    assert found["good on exam"]["verdict"] == "better"
    assert found["good on exam"]["difference"] == pytest.approx(0.95)
    # The arms' recipes: the base is untrained, so they differ in being trained.
    assert section.count("<td>trained") == 2


def test_an_arm_below_its_baseline_is_worse_with_its_own_signs(tree: Tree) -> None:
    tree.experiments = {"worth": WORTH | {"baseline": "good"}}
    _, summary = tree.report()
    found = summary["experiments"]["worth"]["base on exam"]
    assert found["verdict"] == "worse"
    assert found["difference"] == pytest.approx(-0.95)
    assert found["low"] < found["difference"] < found["high"] < 0


def test_the_correction_is_for_the_pairs_of_the_experiment(tree: Tree) -> None:
    tree.experiments = {"one": WORTH | {"arms": ["good", "base"]}, "two": WORTH}
    _, summary = tree.report()
    (pair,) = [v for k, v in summary["pairs"]["exam"].items() if k == "good over base"]
    alone = summary["experiments"]["one"]["good on exam"]["p_holm"]
    assert alone == pair["p"] < pair["p_holm"]
    # Two arms against one baseline are two tests, not the three of all pairs.
    assert summary["experiments"]["two"]["good on exam"]["p_holm"] == pytest.approx(2 * alone)
    assert pair["p_holm"] == pytest.approx(3 * alone)


def test_an_arm_without_a_judged_sample_is_named(tree: Tree) -> None:
    tree.experiments = {"worth": WORTH}
    folder = tree.data / "benchmarks/poor"
    tables.write(folder / "exam.grades.parquet", Verdict, [])
    tables.write(folder / "exam.samples.parquet", Response, [])
    page, summary = tree.report()
    assert list(summary["experiments"]["worth"]) == ["good on exam"]
    assert "share no judged question with\nbase: poor on exam." in page


def test_training_seeds_that_are_one_student_are_one_arm(tree: Tree) -> None:
    """An arm that stands under the name of another seed is found there."""
    tree.experiments = {"worth": WORTH | {"arms": ["base", "again"]}}
    sections = tree.sections()
    again = {"dataset": "good", "seed": 2}
    students = sections["students"] | {"again": again}
    tree.sections = lambda: sections | {"students": students}  # type: ignore[method-assign]
    for folder, kind in (("benchmarks", "*.parquet"), ("students", "*")):
        for path in (tree.data / folder / "good").glob(kind):
            target = tree.data / folder / "again" / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    _, summary = tree.report()
    assert list(summary["experiments"]["worth"]) == ["again on exam"]
    assert list(summary["scores"]["exam"]) == ["good", "poor", "base"]


def test_without_experiments_the_page_says_nothing_of_them(tree: Tree) -> None:
    page, summary = tree.report()
    assert 'experiments"' not in page.partition('id="parameters"')[0]
    assert summary["experiments"] == {}


def _tiny(**students: Any) -> dict[str, Any]:
    parameters = copy.deepcopy(yaml.safe_load(TINY.read_text()))
    parameters["students"] |= students
    return json.loads(parse(parameters, name="tiny").model_dump_json(by_alias=True))


def test_what_differs_is_read_off_the_recipes() -> None:
    other = {"dataset": "terse", "seed": 2, "base": {"model": "hub/other", "revision": "main"}}
    parameters = _tiny(other=other)
    assert differences("steps", "terse", parameters) == ["teachers steps instead of terse"]
    assert differences("terse", "terse", parameters) == []
    perplexity, ngram, recited, score = differences("terse_unverified", "terse", parameters)
    assert perplexity == "without filter perplexity (max 3.0)"
    assert ngram.startswith("without filter ngram (n 20, max_count 20")
    assert recited == "without filter benchmark_text (n 13, share 0.6)"
    assert score == "min score none instead of 0.9"
    assert differences("terse", "terse_unverified", parameters)[0] == (
        "filter perplexity (max 3.0) besides"
    )
    assert differences("other", "terse", parameters) == [
        "training seed 2 instead of 1",
        "base model hub/other, revision main instead of model models/pretrained/base, revision local",
    ]
    strict = {"filter": "perplexity", "max": 2.0}
    parameters["filters"]["strict"] = strict
    parameters["datasets"]["steps"]["filters"][0] = "strict"
    assert differences("steps", "terse", parameters)[0] == (
        "filter strict (max 2.0) instead of filter perplexity (max 3.0)"
    )
    assert differences("base", "terse", parameters) == ["no training: the base as it is"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arms": ["terse", "stepz"], "baseline": "terse"}, "'stepz' is not one of .*steps"),
        ({"baseline": "verbose"}, "'baseline' 'verbose' is none of the arms"),
        ({"arms": ["terse"]}, "report.experiments.e.arms"),
        ({"arms": ["terse", "terse"]}, "'arms' names one of .* twice"),
        ({"benchmarks": ["eazy"]}, "'eazy' is not one of .*easy"),
    ],
)
def test_a_mistake_in_an_experiment_names_its_key(change: dict[str, Any], said: str) -> None:
    parameters = yaml.safe_load(TINY.read_text())
    right = {
        "question": "?",
        "arms": ["terse", "steps"],
        "baseline": "terse",
        "benchmarks": ["easy"],
    }
    parameters["report"]["experiments"] = {"e": right | change}
    with pytest.raises(ParamsError, match=said):
        parse(parameters, name="tiny")


def test_an_experiment_compares_at_graded_benchmarks_only() -> None:
    parameters = yaml.safe_load(TINY.read_text())
    parameters["benchmarks"]["easy"]["graded"] = False
    with pytest.raises(ParamsError, match=r"experiments\.teachers\.benchmarks: 'easy' is not one"):
        parse(parameters, name="tiny")


def test_every_experiment_of_the_paper_has_arms_that_differ() -> None:
    preset = load(TINY.parent / "workflow/presets/paper.yaml")
    parameters = json.loads(preset.model_dump_json(by_alias=True))
    assert set(preset.report.experiments) == {
        *("teachers", "threshold", "length", "matched_length", "perplexity", "unverified"),
        "architecture",
    }
    for name, one in preset.report.experiments.items():
        for arm in one.arms:
            if arm != one.baseline:
                # One thing at a time.
                assert len(differences(arm, one.baseline, parameters)) == 1, (name, arm)


def test_a_student_of_another_base_trains_with_all_other_settings() -> None:
    train = Train.model_validate_json(json.dumps(yaml.safe_load(TINY.read_text())["train"]))
    own = Student.model_validate_json(
        '{"dataset": "d", "seed": 1, "base": {"model": "hub/other", "revision": "r"}}'
    )
    assert own.settings(train) == train.model_copy(update={"base": "hub/other", "revision": "r"})
    assert Student(dataset="d", seed=1).settings(train) is train
