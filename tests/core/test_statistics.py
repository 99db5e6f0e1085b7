"""The estimators against closed forms, brute force and simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from sourcewise import statistics

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 10), (10, 10), (412, 1319)])
def test_wilson_agrees_with_scipy(successes: int, n: int) -> None:
    ours = statistics.wilson(successes, n, 0.95)
    theirs = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 10), (10, 10), (2, 2719)])
def test_the_exact_interval_agrees_with_scipy(successes: int, n: int) -> None:
    ours = statistics.exact(successes, n, 0.95)
    theirs = stats.binomtest(successes, n).proportion_ci(0.95, method="exact")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_a_proportion_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 in 0"):
        statistics.wilson(0, 0, 0.95)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_equal_scores_on_every_question_still_leave_an_interval(share: float) -> None:
    ours = statistics.average([share] * 30, 120, 0.95)
    assert ours.value == share
    assert 0.1 < ours.high - ours.low < 0.2


def test_one_question_says_nothing() -> None:
    assert statistics.average([0.5], 64, 0.95) == (0.5, 0.0, 1.0, 1)


def test_the_ends_of_an_interval_solve_the_score_equation() -> None:
    means = np.random.default_rng(4).binomial(16, 0.3, 40) / 16
    means[:10] = 0
    ours = statistics.average(means.tolist(), 640, 0.95)
    mean, between = float(means.mean()), float(stats.sem(means)) ** 2 * 40
    effective = 40 * (mean * (1 - mean) + 0.015 / 40) / (between + 0.015 / 40)

    def score(p: float) -> float:
        return abs(mean - p) / math.sqrt(p * (1 - p) / effective) - stats.t.ppf(0.975, 78)

    assert 40 < effective < 640
    assert ours.low == pytest.approx(optimize.brentq(score, 1e-9, mean, xtol=1e-14), abs=1e-9)
    assert ours.high == pytest.approx(optimize.brentq(score, mean, 1 - 1e-9, xtol=1e-14), abs=1e-9)


def test_questions_of_one_sample_get_a_wilson_interval_with_students_quantile() -> None:
    ours = statistics.average([1.0] * 12 + [0.0] * 18, 30, 0.95)
    confidence = float(2 * stats.norm.cdf(stats.t.ppf(0.975, 58)) - 1)
    assert ours == pytest.approx(statistics.wilson(12, 30, confidence), abs=1e-9)


def test_one_failure_does_not_make_an_interval_many_times_as_narrow_as_none_does() -> None:
    none = statistics.average([1.0] * 30, 1920, 0.95)
    one = statistics.average([1.0] * 29 + [63 / 64], 1920, 0.95)
    assert 0.5 < (one.high - one.low) / (none.high - none.low) < 1


def test_many_samples_of_few_questions_do_not_count_as_many_questions() -> None:
    few = statistics.average([0.0, 1.0] * 5, 640, 0.95)
    many = statistics.average([0.0, 1.0] * 320, 640, 0.95)
    assert few.high - few.low > 6 * (many.high - many.low)


def test_a_large_benchmark_gets_the_textbook_clustered_interval() -> None:
    means = np.random.default_rng(0).beta(2, 2, 5000)
    ours = statistics.average(means.tolist(), 80_000, 0.95)
    error = 1.959964 * float(np.std(means, ddof=1)) / math.sqrt(5000)
    assert (ours.low, ours.high) == pytest.approx(
        (float(means.mean()) - error, float(means.mean()) + error), abs=1e-4
    )


# Difficulty of questions as a beta distribution: U-shaped, middling, hard with a mean of 3 %, and easy with
# one of 99 %, where one question in a hundred holds most failures.
@pytest.mark.parametrize("k", [4, 64])
@pytest.mark.parametrize(
    ("n", "a", "b"),
    [(30, 0.5, 0.5), (200, 0.5, 0.5), (30, 2, 2), (200, 2, 2), (30, 0.3, 9), (200, 0.3, 9),
     (30, 1.98, 0.02)],
)  # fmt: skip
def test_intervals_cover_the_true_score_as_often_as_they_say(
    n: int, k: int, a: float, b: float
) -> None:
    rng = np.random.default_rng(1)
    means = rng.binomial(k, rng.beta(a, b, (600, n))) / k
    intervals = [statistics.average(row, n * k, 0.95) for row in means.tolist()]
    covered = np.mean([one.low <= a / (a + b) <= one.high for one in intervals])
    # 600 runs of a 95 % interval lie within ±2.7 points (three standard errors) of it.
    assert 0.915 <= covered <= 0.99


def test_pass_at_k_is_the_share_of_k_subsets_with_a_correct_sample() -> None:
    for n, k in itertools.product(range(1, 8), range(1, 8)):
        for correct in range(n + 1):
            if k > n:
                continue
            subsets = list(itertools.combinations([True] * correct + [False] * (n - correct), k))
            brute = sum(any(subset) for subset in subsets) / len(subsets)
            assert statistics.pass_at_k(n, correct, k) == pytest.approx(brute, abs=1e-12)


def test_pass_at_k_agrees_with_the_hypergeometric_distribution() -> None:
    for n, correct, k in [(64, 3, 16), (64, 60, 8), (200, 1, 100), (16, 0, 4), (16, 16, 16)]:
        theirs = 1 - stats.hypergeom.pmf(0, n, correct, k)
        assert statistics.pass_at_k(n, correct, k) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize(("n", "correct", "k"), [(4, 5, 1), (4, 2, 5), (4, -1, 1), (4, 2, 0)])
def test_pass_at_k_outside_its_range_is_an_error(n: int, correct: int, k: int) -> None:
    with pytest.raises(ValueError, match="undefined"):
        statistics.pass_at_k(n, correct, k)


def difference(
    first: list[float], second: list[float], seed: str = "s"
) -> statistics.Difference | None:
    return statistics.paired_difference(
        {str(i): value for i, value in enumerate(first)},
        {str(i): value for i, value in enumerate(second)},
        confidence=0.95,
        permutations=4000,
        seed=seed,
    )


def test_only_shared_questions_are_compared() -> None:
    ours = statistics.paired_difference(
        {"a": 1.0, "b": 0.5, "only": 0.0},
        {"a": 0.5, "b": 0.5, "other": 1.0},
        confidence=0.95,
        permutations=1000,
        seed="s",
    )
    assert ours is not None
    assert (ours.value, ours.n) == (0.25, 2)


def test_students_without_a_shared_question_are_not_compared() -> None:
    assert difference([], [1.0]) is None


def test_equal_seeds_give_equal_results_and_swapping_flips_the_sign() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.random(40).tolist(), rng.random(40).tolist()
    ours, again, swapped = (
        difference(first, second),
        difference(first, second),
        difference(second, first),
    )
    assert ours is not None
    assert swapped is not None
    assert ours == again
    assert ours.value == pytest.approx(-swapped.value)
    assert ours.p == pytest.approx(swapped.p, abs=0.03)


def test_identical_students_are_not_distinguished_and_keep_an_interval() -> None:
    ours = difference([0.0] * 20, [0.0] * 20)
    assert ours is not None
    assert (ours.value, ours.p) == (0.0, 1.0)
    assert ours.low < -0.1 < 0.1 < ours.high


def test_the_difference_and_its_spread_are_those_of_a_paired_t_test() -> None:
    rng = np.random.default_rng(6)
    first, second = rng.binomial(16, 0.6, 30) / 16, rng.binomial(16, 0.5, 30) / 16
    ours = difference(first.tolist(), second.tolist())
    theirs = stats.ttest_rel(first, second)
    assert ours is not None
    statistic = ours.value / (ours.spread / math.sqrt(ours.n))
    assert statistic == pytest.approx(theirs.statistic, abs=1e-9)
    low, high = theirs.confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=0.02)


def test_an_interval_leans_to_where_single_questions_lie_far_out_and_is_else_students() -> None:
    lopsided = [0.5] + [0.0] * 28 + [0.0625]
    ours, mirrored = difference(lopsided, [0.0] * 30), difference([0.0] * 30, lopsided)
    assert ours is not None
    assert mirrored is not None
    assert ours.high - ours.value > 1.5 * (ours.value - ours.low)
    assert (ours.low, ours.high) == pytest.approx((-mirrored.high, -mirrored.low), abs=1e-12)
    even = difference([0.25, 0.5, 0.75, 1.0] * 10, [0.5, 0.5, 0.5, 0.5] * 10)
    assert even is not None
    low, high = stats.ttest_1samp([-0.25, 0.0, 0.25, 0.5] * 10, 0).confidence_interval(0.95)
    assert (even.low, even.high) == pytest.approx((low, high), abs=1e-4)


def test_one_shared_question_leaves_all_open() -> None:
    ours = difference([1.0], [0.25])
    assert ours is not None
    assert (ours.value, ours.low, ours.high, ours.p) == (0.75, -1.0, 1.0, 1.0)


def test_permutation_p_agrees_with_scipy_on_few_questions() -> None:
    values = np.array([0.25, 0.5, -0.25, 0.75, 0.5, 1.0, 0.0, 0.25])
    theirs = stats.permutation_test((values,), np.mean, permutation_type="samples")
    ours = statistics.sign_flip(values, 10, np.random.default_rng(0))
    assert ours == pytest.approx(theirs.pvalue, abs=1e-12)


def test_sampled_permutation_p_approaches_the_exact_one() -> None:
    values = np.array([0.5] * 12 + [-0.5] * 8)
    exact = 2 * stats.binom.sf(11, 20, 0.5)
    ours = statistics.sign_flip(values, 40_000, np.random.default_rng(0))
    assert ours == pytest.approx(exact, abs=0.01)


def test_under_the_null_small_p_values_are_as_rare_as_they_claim() -> None:
    rng = np.random.default_rng(7)
    chance = rng.beta(0.5, 0.5, (1500, 25))
    first, second = rng.binomial(4, chance) / 4, rng.binomial(4, chance) / 4
    p = np.array([statistics.sign_flip(row, 400, rng) for row in np.round(first - second, 12)])
    for level in (0.05, 0.2, 0.5):
        assert np.mean(p <= level) <= level + 3 * math.sqrt(level * (1 - level) / 1500)


def test_p_values_are_uniform_under_the_null_where_no_two_differences_are_equal() -> None:
    rng = np.random.default_rng(8)
    p = [statistics.sign_flip(row, 400, rng) for row in rng.normal(size=(800, 20))]
    assert stats.kstest(p, "uniform").pvalue > 0.01


@pytest.mark.parametrize("n", [12, 60])
def test_intervals_cover_the_true_difference(n: int) -> None:
    rng = np.random.default_rng(5)
    weak = rng.beta(1, 2, (300, n))
    strong = np.minimum(1, weak + rng.uniform(0, 0.3, (300, n)))
    truth = float(np.mean(np.minimum(1, rng.beta(1, 2, 400_000) + rng.uniform(0, 0.3, 400_000))))
    truth -= 1 / 3
    covered = 0
    for row, (a, b) in enumerate(zip(strong, weak, strict=True)):
        first, second = rng.binomial(4, a) / 4, rng.binomial(4, b) / 4
        ours = difference(first.tolist(), second.tolist(), seed=str(row))
        assert ours is not None
        covered += ours.low <= truth <= ours.high
    assert 0.91 <= covered / 300 <= 0.985


def test_holm_matches_the_worked_example() -> None:
    # 0.01 x 4, 0.03 x 2 carried to the larger 0.04, and so on; the order of the input is kept.
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_holm_is_the_closed_test_of_bonferroni(p: list[float]) -> None:
    families = [
        family
        for size in range(1, len(p) + 1)
        for family in itertools.combinations(range(len(p)), size)
    ]
    brute = [
        max(min(1.0, len(f) * min(p[i] for i in f)) for f in families if test in f)
        for test in range(len(p))
    ]
    assert statistics.holm(p) == pytest.approx(brute, abs=1e-9)


@given(P_VALUES)
def test_holm_lies_between_the_raw_and_the_bonferroni_p_value_and_keeps_their_order(
    p: list[float],
) -> None:
    corrected = statistics.holm(p)
    for raw, ours in zip(p, corrected, strict=True):
        assert raw <= ours <= min(1.0, raw * len(p)) + 1e-12
    for (raw, ours), (other, theirs) in itertools.combinations(zip(p, corrected, strict=True), 2):
        assert (raw - other) * (ours - theirs) >= 0


def test_false_winners_among_equal_students_are_rare_after_correction() -> None:
    rng = np.random.default_rng(11)
    families = 120
    wrong = 0
    for _ in range(families):
        p = []
        for _ in range(4):
            chance = rng.beta(0.5, 0.5, 30)
            students = [rng.binomial(4, chance) / 4 for _ in range(3)]
            p += [
                statistics.sign_flip(np.round(a - b, 12), 400, rng)
                for a, b in itertools.combinations(students, 2)
            ]
        wrong += min(statistics.holm(p)) < 0.05
    assert wrong / families <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / families)


def test_the_named_number_of_questions_gives_the_promised_power() -> None:
    rng = np.random.default_rng(2)
    needed = statistics.questions_needed(0.1, 0.4, alpha=0.05)
    assert needed == 126
    draws = rng.normal(0.1, 0.4, (4000, needed))
    error = draws.std(axis=1, ddof=1) / math.sqrt(needed)
    assert np.mean(np.abs(draws.mean(axis=1) / error) > 1.96) == pytest.approx(0.8, abs=0.03)
    assert statistics.detectable(0.4, needed, alpha=0.05) == pytest.approx(0.1, abs=0.001)


def test_power_is_what_the_detectable_difference_promises() -> None:
    least = statistics.detectable(0.4, 90, alpha=0.01, luck=0.0005)
    assert statistics.power(least, 0.4, 90, alpha=0.01, luck=0.0005) == pytest.approx(0.8, abs=1e-6)
    assert statistics.power(0.0, 0.4, 90, alpha=0.01) == pytest.approx(0.01, abs=1e-9)
    assert statistics.power(0.1, 0.0, 90, alpha=0.01) == 1.0


def test_no_difference_names_no_number_of_questions() -> None:
    same = statistics.Difference(0.0, -0.1, 0.1, 1.0, 30, 0.2)
    found = statistics.verdict(same, 1.0, alpha=0.05, tests=3)
    assert found == ("not distinguishable", None, None, None)


def test_the_verdict_word_follows_the_corrected_p_value() -> None:
    seen = statistics.Difference(0.1, 0.02, 0.18, 0.02, 60, 0.3)
    assert statistics.verdict(seen, 0.02, alpha=0.05, tests=1) == (
        "better", None, None, None
    )  # fmt: skip
    word, more, *_ = statistics.verdict(seen, 0.06, alpha=0.05, tests=3)
    assert word == "not distinguishable"
    assert more == statistics.questions_needed(0.1, 0.3, alpha=0.05 / 3) - 60  # type: ignore[operator]


def test_the_noise_of_sampling_and_the_spread_between_questions_are_those_of_an_anova() -> None:
    rng = np.random.default_rng(9)
    samples = rng.binomial(1, rng.beta(0.5, 0.5, (40, 1)), (40, 8)).astype(float)
    means = samples.mean(axis=1)
    noises = [statistics.sampling_noise(mean, 8) for mean in means.tolist()]
    noise = float(np.mean([one for one in noises if one is not None]))
    # One-way analysis of variance with questions as groups: F = (s² k) / (within mean square).
    within = float(np.var(means, ddof=1)) * 8 / stats.f_oneway(*samples).statistic
    assert noise == pytest.approx(within / 8, abs=1e-9)
    assert statistics.sampling_noise(0.0, 1) is None


@pytest.mark.parametrize("shift", [0.06, 0.1])
def test_the_named_number_of_samples_gives_the_promised_power(shift: float) -> None:
    rng = np.random.default_rng(3)
    n, k, alpha = 60, 4, 0.05
    between, p = 0.15, 0.5
    noise = 2 * p * (1 - p) / k
    found = statistics.Difference(shift, 0, 0, 0.2, n, math.sqrt(between**2 + noise), noise=noise)
    times = statistics.times_samples(found, alpha=alpha)
    assert times is not None
    if math.isinf(times):
        # What lies between the questions hides the difference whatever the samples.
        assert statistics.detectable(between, n, alpha=alpha) >= shift
        return
    draws = rng.normal(shift, math.sqrt(between**2 + noise / times), (4000, n))
    power = np.mean(np.abs(stats.ttest_1samp(draws, 0, axis=1).statistic) > 1.96)
    assert times > 1
    assert power == pytest.approx(0.8, abs=0.03)


def test_samples_cannot_settle_what_lies_between_questions_or_between_trainings() -> None:
    found = statistics.Difference(0.03, -0.05, 0.11, 0.4, 30, 0.2, noise=0.01)
    assert statistics.times_samples(found, alpha=0.05) == math.inf
    wide = found._replace(spread=0.2, noise=0.0399, n=500)
    assert statistics.times_samples(wide, alpha=0.05) == 1.0 or (
        1 < (statistics.times_samples(wide, alpha=0.05) or 0) < math.inf
    )
    assert statistics.times_samples(wide._replace(luck=1.0), alpha=0.05) == math.inf
    assert statistics.times_samples(found._replace(noise=None), alpha=0.05) is None


def test_pass_at_k_of_as_many_samples_is_a_proportion_of_questions() -> None:
    found = statistics.best_of([1.0] * 20 + [0.0] * 10, 30 * 64, 64, 0.95)
    confidence = float(2 * stats.norm.cdf(stats.t.ppf(0.975, 72.5)) - 1)
    assert found == pytest.approx(statistics.wilson(20, 30, confidence), abs=1e-9)


@pytest.mark.parametrize("n", [12, 30, 500])
def test_shares_of_one_trial_are_covered_at_any_chance(n: int) -> None:
    found = [statistics.best_of([1.0] * x + [0.0] * (n - x), n, 1, 0.95) for x in range(n + 1)]
    low, high = np.array([one.low for one in found]), np.array([one.high for one in found])
    for chance in np.linspace(0.0005, 0.9995, 400):
        likely = stats.binom.pmf(np.arange(n + 1), n, chance)
        # Wilson's interval alone covers some chances with 84 %.
        assert likely[(low <= chance) & (chance <= high)].sum() >= 0.9299


def test_pass_at_k_near_no_success_is_the_mirror_of_pass_at_k_near_1() -> None:
    few = [0.0] * 26 + [0.02, 0.1, 0.3, 1.0]
    ours = statistics.best_of(few, 30 * 64, 16, 0.95)
    mirrored = statistics.best_of([1 - chance for chance in few], 30 * 64, 16, 0.95)
    assert (ours.low, ours.high) == pytest.approx((1 - mirrored.high, 1 - mirrored.low), abs=1e-9)
    assert ours.high - ours.value > ours.value - ours.low


@pytest.mark.parametrize(("n", "k", "of"), [(30, 4, 16), (30, 16, 16), (200, 8, 64)])
def test_intervals_of_pass_at_k_cover_it_as_often_as_they_say(n: int, k: int, of: int) -> None:
    rng = np.random.default_rng(12)
    a, b = 0.3, 0.9
    truth = 1 - float(np.mean((1 - rng.beta(a, b, 1_000_000)) ** k))
    covered = 0
    for row in rng.binomial(of, rng.beta(a, b, (600, n))).tolist():
        chances = [statistics.pass_at_k(of, correct, k) for correct in row]
        found = statistics.best_of(chances, n * of, k, 0.95)
        covered += found.low <= truth <= found.high
    assert 0.915 <= covered / 600 <= 0.985


def test_the_luck_of_training_is_pooled_over_students_as_in_an_analysis_of_variance() -> None:
    scores = [[0.5, 0.56, 0.53], [0.7], [0.61, 0.65]]
    ours = statistics.luck(scores)
    assert ours is not None
    within = stats.f_oneway(scores[0], scores[2])
    means = [np.mean(scores[0]), np.mean(scores[2])]
    between = float(np.sum(np.array([3, 2]) * (means - np.mean(scores[0] + scores[2])) ** 2))
    assert ours.variance == pytest.approx(between / within.statistic, abs=1e-9)
    assert ours.freedom == 3


def test_students_of_one_seed_show_no_luck() -> None:
    assert statistics.luck([[0.5], [0.7], []]) is None


def test_where_questions_are_many_seeds_are_compared_by_a_t_test() -> None:
    first, second = [0.50, 0.56, 0.53], [0.40, 0.44, 0.45]
    luck = statistics.luck([first, second])
    assert luck is not None
    value = float(np.mean(first) - np.mean(second))
    sure = statistics.Difference(value, value - 1e-9, value + 1e-9, 1e-4, 10**6, 1e-6)
    ours = statistics.difference_of_seeds(sure, luck, (3, 3), 0.95)
    theirs = stats.ttest_ind(first, second)
    assert ours.p == pytest.approx(theirs.pvalue, abs=1e-9)
    low, high = theirs.confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=1e-9)


def test_luck_makes_no_interval_narrower_and_no_p_value_smaller() -> None:
    found = statistics.Difference(0.1, 0.02, 0.18, 0.01, 60, 0.3)
    for variance in (0.0, 1e-6, 1e-3):
        ours = statistics.difference_of_seeds(found, statistics.Luck(variance, 2), (2, 2), 0.95)
        assert ours.low <= found.low + 1e-12 < found.high - 1e-12 <= ours.high
        assert ours.p >= found.p


def test_a_lead_of_a_hundred_standard_errors_has_a_p_value() -> None:
    sure = statistics.Difference(0.5, 0.49, 0.51, 1e-4, 5000, 0.3)
    ours = statistics.difference_of_seeds(sure, statistics.Luck(1e-9, 2), (2, 2), 0.95)
    assert ours.p == 1e-4
    even = statistics.difference_of_seeds(
        sure._replace(value=0.0, p=0.5), statistics.Luck(0.0, 1), (2, 0), 0.95
    )
    assert even.p == pytest.approx(1, abs=1e-9)


def test_a_lead_that_luck_explains_asks_for_seeds_and_not_for_questions() -> None:
    found = statistics.Difference(0.02, -0.01, 0.05, 0.2, 5000, 0.2, luck=0.0004)
    word, questions, seeds, _ = statistics.verdict(found, 0.2, alpha=0.05, tests=1)
    assert (word, questions) == ("not distinguishable", None)
    assert seeds is not None
    settled = found._replace(luck=found.luck / seeds)
    assert statistics.detectable(0.2, 5000, alpha=0.05, luck=settled.luck) <= 0.02
