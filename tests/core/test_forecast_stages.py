"""What a forecast says of stages and of the schedule, beside the same by hand."""

from pathlib import Path

import numpy as np
import pytest

from sourcewise import predicting, tables
from sourcewise.commands import forecast_schedule, forecast_stages
from sourcewise.commands.environment import UsageError
from sourcewise.commands.pilot import Asked
from sourcewise.forecasting import Estimate
from sourcewise.params.rates import Rate, Rates
from sourcewise.params.root import Params, load
from sourcewise.predicting import Cost, Drawn, Finished, Limits
from sourcewise.recipes.manifests import Corpus
from sourcewise.schedule.distilling import SECONDS_OF_A_JOB
from sourcewise.tables import Query

PRESET = Path(__file__).resolve().parents[2] / "workflow/presets/test.yaml"
TEACHERS = Rate(gpus=4, gpu_hour=2.0, tokens_per_second=10.0, start_seconds=5.0)
N = 10
# Each takes two attempts of 50 tokens; 10 tokens of prompt each.
ALIKE = [Finished("math", 2, True, 100, 20, 120, 60)] * N


def _params(**stages: Rate) -> Params:
    params = load(PRESET)
    rates = Rates(currency="EUR", teachers=dict.fromkeys(params.teachers, TEACHERS), stages=stages)
    return params.model_copy(update={"rates": rates})


def _sums(params: Params) -> dict[str, Drawn]:
    limits = Limits(params.distill.max_attempts, 100)
    cost = Cost(4 / 10 / 3600, 2.0 * 4 / 10 / 3600, 0.0)
    rng = np.random.default_rng(1)
    # The whole corpus was looked at, so that every number is known.
    return {name: predicting.drawn(ALIKE, N, limits, rng).priced(cost) for name in params.teachers}


def _value(estimate: Estimate | None) -> float:
    assert estimate is not None
    return estimate.value


def test_stages_cost_what_their_tokens_take() -> None:
    scorer = Rate(gpus=1, tokens_per_second=100.0, gpu_hour=3.0)
    params = _params(perplexity=scorer)
    sums = _sums(params)
    found = forecast_stages.stages(params, sums, dict.fromkeys(sums, 1.8))
    n = N * len(sums)
    assert _value(found["generation"].gpu_hours) == pytest.approx(4 * n * 100 / 10 / 3600)
    assert _value(found["verification"].cpu_hours) == pytest.approx(2 * n * 1.8 / 3600)
    assert _value(found["perplexity"].gpu_hours) == pytest.approx(n * 120 / 100 / 3600)
    assert _value(found["perplexity"].money) == pytest.approx(3 * n * 120 / 100 / 3600)
    assert found["train"].gpu_hours is None
    assert found["train"].at_most
    judged = forecast_stages.stages(params, sums, dict.fromkeys(sums))["verification"]
    assert judged.cpu_hours is None


def test_a_student_reads_accepted_answers_as_often_as_there_are_epochs() -> None:
    params = _params()
    sums = _sums(params)
    student = next(name for name, one in params.students.items() if one.dataset)
    dataset = params.datasets[params.students[student].dataset or ""]
    longer = params.train.model_copy(update={"epochs": 3.0, "max_steps": None})
    params = params.model_copy(update={"train": longer})
    read = forecast_stages.training(student, params, sums)
    each = 60 if dataset.min_score is not None else 120
    assert read[-1] == pytest.approx(3 * N * each * len(dataset.teachers))
    few = longer.model_copy(update={"max_steps": 1, "global_batch": 1, "max_length": 7})
    assert (
        forecast_stages.training(student, params.model_copy(update={"train": few}), sums)[-1] == 7
    )
    assert np.isnan(forecast_stages.training(student, params, {})[-1])


def _corpus(folder: Path) -> Corpus:
    """One shard of N queries."""
    rows = [
        Query(
            query_id=f"{i:032x}",
            source="s",
            category="math",
            messages=[],
            reference="",
            licence="MIT",
        )
        for i in range(N)
    ]
    corpus = Corpus(folder, ("s-0000",))
    path = corpus.queries("s-0000")
    path.parent.mkdir(parents=True, exist_ok=True)
    tables.write(path, Query, rows)
    return corpus


def test_the_schedule_is_the_chain_of_rounds_where_there_is_one_shard(tmp_path: Path) -> None:
    params = _params()
    name = next(iter(params.teachers))
    sums = {name: _sums(params)[name]}
    asked = {name: Asked(ALIKE, None, 1.8)}
    found = forecast_schedule.schedule(params, asked, _corpus(tmp_path), sums, gpus=4, seed=1)
    asking = N * 50 / 10 + 5 + SECONDS_OF_A_JOB
    judging = N * 1.8 / 2 + SECONDS_OF_A_JOB
    # A round in which nobody is left takes the start of its jobs.
    idle = (params.distill.max_attempts - 2) * SECONDS_OF_A_JOB
    assert found.chain["generate"] * 3600 == pytest.approx(2 * asking + idle)
    assert found.chain["verify"] * 3600 == pytest.approx(2 * judging + idle)
    assert found.hours.value == pytest.approx(sum(found.chain.values()))
    assert found.hours.low == pytest.approx(found.hours.high)
    assert set(found.left_out) == {"perplexity", "train", "sample"}


def test_more_gpus_are_faster_until_the_chain_is_all_there_is(tmp_path: Path) -> None:
    params = _params()
    sums = _sums(params)
    asked = {name: Asked(ALIKE, None, 0.0) for name in sums}
    corpus = _corpus(tmp_path)
    hours = [
        forecast_schedule.schedule(params, asked, corpus, sums, gpus=gpus, seed=1).hours.value
        for gpus in (4, 4 * len(sums), 400)
    ]
    assert hours[0] > hours[1] if len(sums) > 1 else hours[0] == hours[1]
    assert hours[1] == pytest.approx(hours[2])


def test_what_a_job_holds_is_checked_before_a_pilot_is_paid() -> None:
    params = _params(train=Rate(gpus=8))
    forecast_schedule.check(params, list(params.teachers), 8)
    with pytest.raises(UsageError, match=r"rates\.stages\.train a job holds 8"):
        forecast_schedule.check(params, list(params.teachers), 4)
    with pytest.raises(UsageError, match=r"give rates\.teachers\.x in params\.yaml gpus"):
        forecast_schedule.check(params, ["x"], 4)
