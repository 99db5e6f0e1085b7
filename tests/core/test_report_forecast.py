"""The report sets a forecast against what came, and says when it was made for another run."""

import json

import pytest

from finished_run import Tree
from sourcewise.forecasting import Basis, Estimate, Forecast, Prediction, TeacherForecast, basis
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


def _write(tree: Tree, made_for: Basis) -> None:
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
