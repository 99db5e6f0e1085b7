"""Predictions hold what comes: intervals by simulation, sums, prices and the words of the screen."""

import numpy as np
import pytest

from sourcewise import forecasting, predicting
from sourcewise.commands import forecast as command
from sourcewise.commands import forecast_table
from sourcewise.forecasting import Basis
from sourcewise.params.rates import Rate
from sourcewise.predicting import Cost, Finished, Limits, drawn, total

LIMITS = Limits(attempts=4, max_tokens=32768)
RATES = (Rate(prompt_million=1.0, completion_million=2.0), Rate(gpus=8, gpu_hour=2.5))


def _rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def _corpus(n: int, rng: np.random.Generator) -> list[Finished]:
    """Hard queries take more attempts and longer answers: lengths have a heavy tail, cut at the limit."""
    hardness = np.exp(rng.normal(0, 1, n))
    chance = np.clip(0.6 / np.sqrt(hardness), 0, 1)
    needed = rng.geometric(chance)
    attempts = np.minimum(needed, LIMITS.attempts)
    lengths = 1500 * hardness * np.exp(rng.normal(0, 0.5, n))
    tokens = (attempts * np.minimum(lengths, LIMITS.max_tokens)).astype(int)
    prompts = attempts * rng.integers(20, 500, n)
    one, solved = (tokens + prompts) // attempts, needed <= LIMITS.attempts
    scored = one * (1 + (solved & (attempts > 1)))
    rows = zip(attempts, solved, tokens, prompts, scored, one * solved, strict=True)
    return [Finished("math", int(k), bool(ok), *map(int, counts)) for k, ok, *counts in rows]


def _sums(corpus: list[Finished]) -> list[int]:
    return [int(sum(column)) for column in list(zip(*corpus, strict=True))[1:]]


@pytest.mark.parametrize(("n", "pilot"), [(2000, 60), (150, 60)])
def test_95_of_100_intervals_hold_the_sum_of_the_corpus(n: int, pilot: int) -> None:
    rng, corpora = _rng(n), 400
    held = np.zeros(len(predicting.ASKED))
    for _ in range(corpora):
        corpus = _corpus(n, rng)
        looked_at = [corpus[place] for place in rng.choice(n, pilot, replace=False)]
        found = drawn(looked_at, n, LIMITS, rng).priced(Cost()).prediction()
        for column, (name, truth) in enumerate(zip(predicting.ASKED, _sums(corpus), strict=True)):
            estimate = getattr(found, name)
            held[column] += estimate.low <= truth <= estimate.high
    coverage = dict(zip(predicting.ASKED, held / corpora, strict=True))
    assert all(0.90 <= share <= 0.99 for share in coverage.values()), coverage


def test_a_pilot_of_the_whole_corpus_leaves_nothing_to_chance() -> None:
    corpus = _corpus(40, _rng())
    found = drawn(corpus, 40, LIMITS, _rng()).priced(Cost()).prediction()
    for name, truth in zip(predicting.ASKED, _sums(corpus), strict=True):
        estimate = getattr(found, name)
        assert (estimate.value, estimate.low, estimate.high) == (truth, truth, truth)


def test_alike_answers_in_a_pilot_do_not_promise_alike_answers_in_the_corpus() -> None:
    alike = [Finished("math", 1, True, 100, 10, 110, 110)] * 50
    found = drawn(alike, 1000, LIMITS, _rng()).priced(Cost()).prediction()
    assert found.attempts.low == found.attempts.value == 1000
    # 0 of 50 leave room for a few in a hundred that take all attempts.
    assert 1030 < found.attempts.high < 1400
    assert 900 < found.accepted.low < 1000
    assert found.completion_tokens.low == 100_000
    assert 105_000 < found.completion_tokens.high < 140_000


def test_one_query_says_little_and_no_query_says_nothing() -> None:
    found = drawn([Finished("math", 2, True, 100, 10, 110, 110)], 500, LIMITS, _rng()).priced(
        Cost()
    )
    assert found.prediction().accepted.high - found.prediction().accepted.low > 400
    with pytest.raises(ValueError, match="0 finished queries are no sample of 500"):
        drawn([], 500, LIMITS, _rng())


def test_sums_of_categories_are_less_uncertain_than_the_worst_of_each() -> None:
    groups = [drawn(_corpus(50, _rng(s)), 1000, LIMITS, _rng(s)).priced(Cost()) for s in (1, 2)]
    parts, both = [one.prediction() for one in groups], total(groups).prediction()
    assert both.queries == 2000
    width = [one.attempts.high - one.attempts.low for one in (*parts, both)]
    assert both.attempts.value == pytest.approx(sum(one.attempts.value for one in parts))
    assert max(width[:2]) < width[2] < width[0] + width[1]


def test_the_same_seed_gives_the_same_numbers() -> None:
    corpus = _corpus(50, _rng())
    first, again = (drawn(corpus, 900, LIMITS, _rng(3)).priced(Cost()).prediction() for _ in "ab")
    assert first == again


def test_prices_of_an_endpoint_count_prompts_and_completions() -> None:
    corpus = _corpus(40, _rng())
    _, _, tokens, prompts, *_ = _sums(corpus)
    cost = command._cost(RATES[0], None)
    found = drawn(corpus, 40, LIMITS, _rng()).priced(cost).prediction()
    assert found.gpu_hours is None
    assert found.money is not None
    assert found.money.value == pytest.approx((2 * tokens + prompts) / 1e6)


def test_gpu_hours_follow_from_tokens_per_second_of_all_gpus_together() -> None:
    corpus = _corpus(40, _rng())
    tokens = _sums(corpus)[2]
    found = drawn(corpus, 40, LIMITS, _rng()).priced(command._cost(RATES[1], 1000.0)).prediction()
    assert found.gpu_hours is not None
    assert found.money is not None
    assert found.gpu_hours.value == pytest.approx(8 * tokens / 1000 / 3600)
    assert found.money.value == pytest.approx(2.5 * found.gpu_hours.value)
    assert command._cost(RATES[1], None) == Cost()


def test_a_forecast_for_other_parameters_says_which() -> None:
    made = Basis(teacher="a", stop_score=0.9, max_attempts=4, corpus="x")
    assert forecasting.differences(made, made) == []
    now = Basis(teacher="b", stop_score=0.9, max_attempts=2, corpus="y")
    assert forecasting.differences(made, now) == [
        "another corpus",
        "other settings of the teacher",
        "max_attempts 4 instead of 2",
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ((1.234e6, 1.04e6, 1.4e6), "1.2 M (1.0–1.4)"),
        ((4321, 4000, 4700), "4.3 k (4.0–4.7)"),
        ((2.5e11, 2.2e11, 2.9e11), "250 G (220–290)"),
        ((0.123, 0.1, 0.2), "0.123 (0.100–0.200)"),
    ],
)
def test_an_estimate_and_its_interval_have_one_unit(
    value: tuple[float, float, float], said: str
) -> None:
    low = dict(zip(("value", "low", "high"), value, strict=True))
    assert forecast_table._scaled(forecasting.Estimate(**low)) == said
