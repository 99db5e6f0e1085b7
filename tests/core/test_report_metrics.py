"""What DVC compares: one small file per source, tables of rows, and nothing of a source that is gone."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from finished_run import Tree

ROOT = Path(__file__).resolve().parents[2]
PLOTS = {
    name: plot
    for entry in yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]
    for name, plot in entry.items()
}


def rows(tree: Tree, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((tree.plots / f"{name}.json").read_text())
    return found


def metrics(tree: Tree, path: str) -> dict[str, float | None]:
    found: dict[str, float | None] = json.loads((tree.metrics / path).read_text())
    return found


def test_each_source_has_its_few_numbers(tree: Tree) -> None:
    tree.report()
    teacher = metrics(tree, "teachers/good.json")
    assert teacher["accepted"] == 0.75
    assert metrics(tree, "datasets/good.json") == {"kept": 5, "tokens": 12.0}
    score = metrics(tree, "scores/exam/good.json")
    assert list(score) == ["score", "low", "high"]
    assert score["score"] == 0.95
    for interval in (teacher, score):
        estimate, low, high = interval.values()
        assert low is not None
        assert estimate is not None
        assert high is not None
        assert low < estimate < high


def test_every_teacher_dataset_and_graded_student_has_a_file(tree: Tree) -> None:
    tree.report()
    files = {path.relative_to(tree.metrics).as_posix() for path in tree.metrics.rglob("*.json")}
    assert files == {
        *("teachers/good.json", "teachers/poor.json", "datasets/good.json", "datasets/poor.json"),
        *(f"scores/exam/{student}.json" for student in ("good", "poor", "base")),
    }


def test_what_was_not_measured_is_null(empty: Tree) -> None:
    empty.report()
    assert metrics(empty, "teachers/good.json") == {"accepted": None, "low": None, "high": None}
    assert metrics(empty, "datasets/good.json") == {"kept": 0, "tokens": None}
    assert metrics(empty, "scores/exam/good.json")["score"] is None


def test_files_of_a_removed_source_go(tree: Tree) -> None:
    stale = tree.metrics / "datasets/renamed.json"
    stale.parent.mkdir(parents=True)
    stale.write_text('{"kept": 3}')
    tree.report()
    assert not stale.exists()


def test_acceptance_is_cumulative_over_attempts(tree: Tree) -> None:
    tree.report()
    good = [row for row in rows(tree, "acceptance") if row["teacher"] == "good"]
    assert [(row["panel"], row["accepted"], row["queries"]) for row in good] == [
        ("within 1 attempt", 0.75, 8),
        ("within 2 attempts", 0.875, 8),
    ]


def test_lengths_are_the_quartiles_of_accepted_responses(tree: Tree) -> None:
    tree.report()
    # Six responses of 10 tokens and one of 20; teacher poor has none that was accepted.
    assert rows(tree, "lengths") == [
        {"panel": "math", "teacher": "good", "tokens": 10.0, "low": 10.0, "high": 10.0,
         "responses": 7}
    ]  # fmt: skip


def test_the_loss_has_a_row_per_student_and_step(tree: Tree) -> None:
    tree.report()
    assert rows(tree, "loss")[:2] == [
        {"student": "good", "step": 1.0, "loss": 2.0},
        {"student": "good", "step": 2.0, "loss": 1.0},
    ]
    assert {row["student"] for row in rows(tree, "loss")} == {"good", "poor"}
    assert [row["grad_norm"] for row in rows(tree, "gradient")[:2]] == [3.0, 4.0]
    assert [row["tokens_per_second"] for row in rows(tree, "speed")[:2]] == [200.0, 250.0]


def test_a_long_training_is_drawn_with_few_points(tree: Tree) -> None:
    lines = [f"{step},0.1,{1 / step},1.0,1e-4,9" for step in range(1, 4001)]
    header = "step,epoch,loss,grad_norm,learning_rate,tokens"
    (tree.data / "students/good/loss.csv").write_text("\n".join([header, *lines]))
    tree.report()
    assert 200 < sum(row["student"] == "good" for row in rows(tree, "loss")) <= 300


@pytest.mark.parametrize("name", sorted(PLOTS))
def test_a_declared_plot_finds_its_axes_and_what_its_template_draws(tree: Tree, name: str) -> None:
    tree.report()
    ((path, y),) = PLOTS[name]["y"].items()
    template = (ROOT / f".dvc/plots/{PLOTS[name]['template']}.json").read_text()
    fixed = [field for field in ("panel", "low", "high", "student") if f'"{field}"' in template]
    assert fixed
    for row in rows(tree, path.removeprefix("data/report/plots/").removesuffix(".json")):
        assert {PLOTS[name]["x"], y, *fixed} <= row.keys()


def test_equal_data_give_equal_files(tree: Tree) -> None:
    tree.report()
    files = [path for path in tree.root.glob("[mp]*/**/*.json") if path.is_file()]
    first = {path: path.read_bytes() for path in files}
    assert len(first) == 13
    tree.report()
    assert {path: path.read_bytes() for path in files} == first


def test_tables_without_a_row_are_valid(empty: Tree) -> None:
    empty.report()
    assert {name: rows(empty, name) for name in PLOTS} == {key: [] for key in PLOTS}
