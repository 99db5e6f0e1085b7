"""The report sets a forecast against what came, and says when it was made for another run."""

import json
from typing import Any

import pytest

from finished_run import Tree
from sourcewise.forecasting import (
    Actual,
    Basis,
    Estimate,
    Forecast,
    Prediction,
    StageActual,
    StageForecast,
    TeacherForecast,
    basis,
)
from sourcewise.params.distill import Distill, Teacher


def _prediction(attempts: tuple[float, float, float]) -> Prediction:
    def estimate(value: float, low: float, high: float) -> Estimate:
        return Estimate(value=value, low=low, high=high)

    return Prediction(
        queries=8,
        pilot=4,
        attempts=estimate(*attempts),
        accepted=estimate(7, 5, 8),
        completion_tokens=estimate(900, 800, 1000),
        prompt_tokens=estimate(40, 40, 40),
        gpu_hours=None,
        money=None,
    )


def _basis(tree: Tree) -> Basis:
    """What a forecast of the tree's own run holds for."""
    sections = tree.sections()
    return basis(
        Teacher.model_validate_json(json.dumps(sections["teachers"]["good"])),
        Distill.model_validate(sections["distill"]),
        (tree.data / "queries/manifest.json").read_text(),
    )


def _write(tree: Tree, made_for: Basis, **more: Any) -> None:
    total = _prediction((11, 9, 13))
    good = TeacherForecast(
        basis=made_for,
        tokens_per_second=None,
        speed=None,
        categories={"math": total},
        unknown=(),
        total=total,
    )
    forecast = Forecast(
        schema_version=1,
        created="2026-01-02T03:04:05+00:00",
        seed=7,
        pilot=4,
        level=0.95,
        currency=None,
        teachers={"good": good},
        total=total,
        **more,
    )
    tree.forecast = tree.root / "forecast.json"
    tree.forecast.write_text(forecast.model_dump_json())


def test_the_report_sets_the_forecast_against_what_came(tree: Tree) -> None:
    _write(tree, _basis(tree))
    page, summary = tree.report()
    assert '<section id="forecast"><h2>Forecast against actual</h2>' in page
    assert '<a href="#forecast">' in page
    found = summary["forecast"]["good"]
    # 8 attempts in the first round and 2 in the second, 100 tokens of 10 and 20 each; 7 accepted.
    assert (found["attempts"]["actual"], found["attempts"]["inside"]) == (10, True)
    assert (found["accepted_queries"]["actual"], found["accepted_queries"]["inside"]) == (7, True)
    tokens = found["completion_tokens"]
    assert (tokens["actual"], tokens["inside"]) == (8 * 10 + 2 * 20, False)
    assert page.count("<b>outside</b>") == 1
    assert found["reasons"] == []
    assert "poor" not in summary["forecast"]


def test_a_forecast_for_other_parameters_says_so(tree: Tree) -> None:
    _write(tree, _basis(tree).model_copy(update={"corpus": "other", "max_attempts": 4}))
    page, summary = tree.report()
    assert summary["forecast"]["good"]["reasons"] == [
        "another corpus",
        "max_attempts 4 instead of 2",
    ]
    assert "another corpus; max_attempts 4 instead of 2." in page


def test_without_a_forecast_the_page_says_nothing_of_one(tree: Tree) -> None:
    page, summary = tree.report()
    assert 'id="forecast"' not in page
    assert 'href="#forecast"' not in page
    assert summary["forecast"] == {}


@pytest.mark.parametrize("content", [None, "{}", "not JSON"])
def test_a_forecast_that_cannot_be_read_names_its_file(tree: Tree, content: str | None) -> None:
    tree.forecast = tree.root / "forecast.json"
    if content is not None:
        tree.forecast.write_text(content)
    with pytest.raises(SystemExit, match=r"forecast\.json .*sourcewise forecast"):
        tree.report()


def test_what_jobs_took_stands_beside_the_forecast_and_by_accepted_row(tree: Tree) -> None:
    def took(gpu_hours: float | None) -> StageActual:
        return StageActual(jobs=3, failed=1, hours=2.0, gpu_hours=gpu_hours, cpu_hours=None)

    stages = {"generation": took(8.0), "train": took(3.0), "verification": took(None)}
    actual = Actual(created="2026-01-03T00:00:00+00:00", source="slurm", stages=stages)
    hours = Estimate(value=6.0, low=5.0, high=7.0)
    foretold = {
        "generation": StageForecast(gpu_hours=hours),
        "train": StageForecast(gpu_hours=hours, at_most=True),
    }
    _write(tree, _basis(tree), stages=foretold, actual=actual)
    page, summary = tree.report()
    assert '<section id="cost"><h2>Cost</h2>' in page
    assert "Slurm’s accounts, failed attempts included" in page
    found = summary["cost"]
    assert found["generation"]["inside"] is False
    # Fewer than "at most" is as foretold.
    assert found["train"]["inside"] is True
    assert found["verification"]["inside"] is None
    accepted = sum(one["accepted"] for one in summary["teachers"].values())
    assert found["generation"]["gpu_seconds_per_accepted"] == pytest.approx(8 * 3600 / accepted)


def test_without_accounts_the_page_and_the_summary_have_no_cost(tree: Tree) -> None:
    _write(tree, _basis(tree))
    page, summary = tree.report()
    assert 'id="cost"' not in page
    assert "cost" not in summary
