"""Estimators for benchmarks and acceptance rates, and the words that a comparison may use.

Questions are the independent units: samples of one question are a cluster, two students are
compared on the questions they share. What is estimated is the score on the population that the
questions were drawn from, for the models as they are; the luck of training enters where students of
several seeds show it.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

BETTER = "better"
NOT_DISTINGUISHABLE = "not distinguishable"
POWER = 0.8
# 2^14 sign patterns are enumerated; above that the test samples them.
ENUMERATED = 14
CHUNK = 4096
# How far questions differ can be told from those that some samples pass and others fail. This much of a
# question's squared deviation is taken to lie wholly between questions: without it a single failure among
# 30 x 64 samples makes the interval 40 times as narrow as none does.
UNSEEN = 0.015
# The same of a question's squared difference, where most questions do show how far apart two students are.
HARDLY = 0.001
# Of pass@k, near 1 at most questions, far more is unseen: this much of a question's squared deviation.
UNSEEN_BEST = 0.25
# Near 0 and 1 all misses are on one side, so the end there of a share of trials may miss this many times as
# often as a whole interval.
NEAR = 1.4
# The same end of other pass@k may miss this many times as often as one end, of few questions.
NEAR_BEST = 1.5

Floats = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """An estimate, its interval and the number of independent units behind it."""

    value: float
    low: float
    high: float
    n: int


class Luck(NamedTuple):
    """Variance between the scores of training seeds, and its degrees of freedom."""

    variance: float
    freedom: int


class Difference(NamedTuple):
    """Mean difference of two students over `n` shared questions, and the spread over questions.

    `luck` is the share of training seeds in the variance of `value`. `noise` is the share of sampling
    in the variance of one question's difference, `spread` squared; None where samples do not show it.
    """

    value: float
    low: float
    high: float
    p: float
    n: int
    spread: float
    luck: float = 0.0
    noise: float | None = None


class Verdict(NamedTuple):
    """One of the fixed words, and what would settle a difference of the observed size, each by itself.

    `more_questions` more; so many times the training seeds; so many times the samples of the same questions,
    infinite where no number of samples would. None where none would, or where it is not known.
    """

    word: str
    more_questions: int | None
    times_seeds: int | None = None
    times_samples: float | None = None


def wilson(successes: int, n: int, confidence: float) -> Interval:
    """Score interval of a proportion (Wilson 1927, JASA 22:209). Raises ValueError for n < 1."""
    if n < 1:
        raise ValueError(f"a proportion of {successes} in {n} has no interval")
    z = float(stats.norm.ppf((1 + confidence) / 2))
    return Interval(successes / n, *_score_bounds(successes / n, n, z), n)


def _score_bounds(share: float, n: float, quantile: float) -> tuple[float, float]:
    square = quantile * quantile
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = quantile / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def exact(successes: int, n: int, confidence: float) -> Interval:
    """Exact interval of a proportion (Clopper and Pearson 1934, Biometrika 26:404); covers at least as said.

    For rare events, where score intervals cover too little. Raises ValueError for n < 1.
    """
    if n < 1:
        raise ValueError(f"a proportion of {successes} in {n} has no interval")
    return Interval(successes / n, *_exact_ends(successes, n, (1 - confidence) / 2), n)


def _exact_ends(successes: float, n: int, tail: float) -> tuple[float, float]:
    """Clopper and Pearson's ends, each of which misses with a chance of at most `tail`."""
    few, many = successes < 1e-9, successes > n - 1e-9
    low = 0.0 if few else stats.beta.ppf(tail, successes, n - successes + 1)
    high = 1.0 if many else stats.beta.isf(tail, successes + 1, n - successes)
    return float(low), float(high)


def average(
    means: Sequence[float], n_samples: int, confidence: float, *, unseen: float = UNSEEN
) -> Interval:
    """avg@k: the mean of question means in [0, 1], with an interval clustered by question.

    The variance is that of the question means (Miller 2024, arXiv 2411.00640, section 2). It enters
    a Wilson interval as an effective sample size p(1-p)/variance, with Student's t (Korn and Graubard
    1998, Surv. Methodol. 24:193; Franco et al. 2019, J. Surv. Stat. Methodol. 7:334), between the
    questions and all `n_samples` samples. `unseen` draws the size towards the questions where almost every
    sample agrees, and to them where all do. The interval is narrower than one of n-1 degrees of freedom:
    2(n-1) do, since the variance is bounded on both sides. Chosen by its coverage in simulation
    (docs/statistics.md). One question alone says nothing: [0, 1].
    """
    n = len(means)
    mean, effective = _effective(means, n_samples, unseen)
    if n == 1:
        return Interval(mean, 0.0, 1.0, 1)
    quantile = _student(confidence, 2 * (n - 1))
    return Interval(mean, *_score_bounds(mean, effective, quantile), n)


def _effective(means: Sequence[float], n_samples: int, unseen: float) -> tuple[float, float]:
    """The mean of question means, and how many independent samples vary as much as it does."""
    n = len(means)
    if n < 1:
        raise ValueError("a mean over no question has no interval")
    mean = min(1.0, max(0.0, math.fsum(means) / n))
    if n == 1:
        return mean, 1.0
    squares = float(np.var(np.asarray(means, dtype=np.float64), ddof=1)) * n
    effective = n * (n * mean * (1 - mean) + unseen) / (squares + unseen)
    return mean, min(max(effective, n), max(n_samples, n))


@functools.cache
def _student(confidence: float, freedom: float) -> float:
    return float(stats.t.ppf((1 + confidence) / 2, freedom))


def pass_at_k(n: int, correct: int, k: int) -> float:
    """Unbiased chance that one of k samples is correct (Chen et al. 2021, arXiv 2107.03374)."""
    if not 0 <= correct <= n or not 1 <= k <= n:
        raise ValueError(f"pass@{k} of {correct} correct among {n} samples is undefined")
    return 1.0 - math.comb(n - correct, k) / math.comb(n, k)


def best_of(chances: Sequence[float], n_samples: int, k: int, confidence: float) -> Interval:
    """The mean over questions of pass@k with an interval clustered by question, as that of `average`.

    `n_samples` samples hold a k-th as many draws of k. With as many as k, each question is one trial and
    steps of one question count: an end lies at least as far out as the exact one-sided end at NEAR times
    the level, which mends the dips of Wilson's interval near 0 and 1 (Brown, Cai and DasGupta 2001, Stat.
    Sci. 16:101, section 4.1, who take Poisson's). Else the far end cannot miss where few questions fail, so
    the near one may miss up to NEAR_BEST times as often. These numbers and 2.5(n-1) degrees of freedom are
    chosen by coverage in simulation (docs/statistics.md).
    """
    n = len(chances)
    draws = max(n, n_samples // k)
    mean, effective = _effective(chances, draws, UNSEEN_BEST)
    if n == 1:
        return Interval(mean, 0.0, 1.0, 1)
    freedom = 2.5 * (n - 1)
    low, high = _score_bounds(mean, effective, _student(confidence, freedom))
    if draws == n:
        exact_low, exact_high = _exact_ends(n * mean, n, NEAR * (1 - confidence))
        return Interval(mean, min(low, exact_low), max(high, exact_high), n)
    often = min(NEAR_BEST, 1 + 15 / n)
    near = _score_bounds(mean, effective, _student(1 - often * (1 - confidence), freedom))
    low, high = (low, near[1]) if mean >= 1 / 2 else (near[0], high)
    return Interval(mean, low, high, n)


def sampling_noise(mean: float, k: int) -> float | None:
    """Unbiased variance of the share of k independent samples that are correct; None for one sample."""
    return mean * (1 - mean) / (k - 1) if k > 1 else None


def paired_difference(
    first: Mapping[str, float],
    second: Mapping[str, float],
    *,
    confidence: float,
    permutations: int,
    seed: str,
) -> Difference | None:
    """Mean of first minus second over the questions both answered; None without a shared question.

    The interval is Student's t, leaning to where single questions may lie far out; the p-value is a
    sign-flip permutation test on the differences of question means. `seed` is any text; equal texts give
    equal results.
    """
    shared = sorted(first.keys() & second.keys())
    if not shared:
        return None
    # Rounding merges differences that are equal but for the last bit, such as 0.3 - 0.1 and 0.2.
    differences = np.round([first[q] - second[q] for q in shared], 12)
    rng = np.random.default_rng(list(seed.encode()))
    low, high = leaning(differences, confidence)
    spread = float(np.std(differences, ddof=1)) if len(shared) > 1 else 0.0
    p = sign_flip(differences, permutations, rng)
    return Difference(float(np.mean(differences)), low, high, p, len(shared), spread)


def leaning(differences: Floats, confidence: float) -> tuple[float, float]:
    """Ends of Student's t interval of the mean, longer on the side of the differences' skewness.

    By twice the term of Johnson (1978, J. Am. Stat. Assoc. 73:536), on that side only: of few questions
    one or two may hold the whole difference, and a sample that misses them shows too little skewness.
    HARDLY keeps a spread that one question shows from being taken at its word (docs/statistics.md).
    """
    n, mean = len(differences), float(np.mean(differences))
    if np.ptp(differences) == 0:
        # No spread was seen, which is not the same as none: allow for what 0 of n can hide.
        hidden = wilson(0, n, confidence).high if n > 1 else 2.0
        return max(-1.0, mean - hidden), min(1.0, mean + hidden)
    variance = float(np.var(differences)) + HARDLY / n
    quantile = _student(confidence, n - 1)
    skewness = float(np.mean((differences - mean) ** 3)) / variance**1.5
    lean = skewness * (1 + 2 * quantile**2) / (3 * math.sqrt(n))
    error = math.sqrt(variance / (n - 1))
    low = mean - error * (quantile + max(0.0, -lean))
    high = mean + error * (quantile + max(0.0, lean))
    return max(-1.0, low), min(1.0, high)


def luck(scores: Iterable[Sequence[float]]) -> Luck | None:
    """The variance between training seeds, pooled over students; None where none has two seeds.

    `scores` holds for each student the scores of its seeds on the same questions. Sampling noise is in
    their variance too, so it counts twice: on the safe side.
    """
    several = [np.asarray(seeds, dtype=np.float64) for seeds in scores if len(seeds) > 1]
    freedom = sum(len(seeds) - 1 for seeds in several)
    if not freedom:
        return None
    squares = math.fsum(float(np.var(seeds)) * len(seeds) for seeds in several)
    return Luck(squares / freedom, freedom)


def average_of_seeds(found: Interval, luck: Luck, seeds: int, confidence: float) -> Interval:
    """The score of a student of so many training seeds: `found` over questions, wider by their luck."""
    if found.n == 1:
        return found
    freedom = (2 * (found.n - 1), luck.freedom)
    low, high, _ = _beside_luck(found, luck.variance / seeds, freedom, confidence)
    return found._replace(low=max(0.0, low), high=min(1.0, high))


def difference_of_seeds(
    found: Difference, luck: Luck, seeds: tuple[int, int], confidence: float
) -> Difference:
    """A difference of students of so many training seeds: wider by their luck, the p-value no smaller.

    0 seeds stand for a model that was not trained.
    """
    if found.n == 1:
        return found
    variance = luck.variance * sum(1 / n for n in seeds if n)
    freedom = (found.n - 1, luck.freedom)
    low, high, p = _beside_luck(found, variance, freedom, confidence)
    return found._replace(low=max(-1.0, low), high=min(1.0, high), p=max(p, found.p), luck=variance)


def _beside_luck(
    found: Interval | Difference, variance: float, freedom: tuple[int, int], confidence: float
) -> tuple[float, float, float]:
    """Ends of an interval over questions with a second variance, and the p-value of t against 0.

    `freedom` are the degrees of freedom over questions and over seeds.
    The quantile is the mean of both Student's, weighted by the variances (Cochran and Cox 1957,
    Experimental Designs, section 4.14): on the safe side, where Satterthwaite's degrees of freedom
    call 6.6 % of null families of two seeds better.
    """

    def quantile(tails: float) -> float:
        over_questions = stats.t.isf(tails / 2, freedom[0])
        over_seeds = stats.t.isf(tails / 2, freedom[1])
        return float((questions * over_questions + variance * over_seeds) / total)

    alone = float(stats.t.isf((1 - confidence) / 2, freedom[0]))
    questions = ((found.high - found.low) / (2 * alone)) ** 2
    total = questions + variance
    factor = math.sqrt(total / questions) * quantile(1 - confidence) / alone
    statistic = abs(found.value) / math.sqrt(total)
    least = 1e-15
    if quantile(least) > statistic:
        p = optimize.brentq(lambda tails: quantile(tails) - statistic, least, 1, xtol=least)
    else:
        p = least
    return (
        found.value - (found.value - found.low) * factor,
        found.value + (found.high - found.value) * factor,
        float(p),
    )


def sign_flip(differences: Floats, permutations: int, rng: np.random.Generator) -> float:
    """Two-sided permutation p-value: were the students equal, each sign would be a coin toss.

    Exact for up to 14 questions that differ, else sampled with the observed pattern counted in, so
    that the test is valid and p is never 0 (Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol.
    9:39).
    """
    sizes = np.abs(differences[differences != 0])
    if len(sizes) == 0:
        return 1.0
    observed = abs(float(np.sum(differences))) - 1e-9
    if len(sizes) <= ENUMERATED:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(sizes))))
        return float(np.mean(np.abs(signs @ sizes) >= observed))
    # Questions with the same size of difference are alike: one binomial draw flips them all.
    values, counts = np.unique(sizes, return_counts=True)
    extreme = 0
    for start in range(0, permutations, CHUNK):
        n = min(CHUNK, permutations - start)
        sums = (2 * rng.binomial(counts, 0.5, size=(n, len(counts))) - counts) @ values
        extreme += int(np.sum(np.abs(sums) >= observed))
    return (extreme + 1) / (permutations + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for all tests of a family (Holm 1979, Scand. J. Stat. 6:65)."""
    corrected = [1.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def verdict(difference: Difference, corrected: float, *, alpha: float, tests: int) -> Verdict:
    """`better` where the corrected p-value is below alpha, else what would tell."""
    if corrected < alpha:
        return Verdict(BETTER, None)
    needed = questions_needed(
        difference.value, difference.spread, alpha=alpha / tests, luck=difference.luck
    )
    room = (difference.value / _quantiles(alpha / tests)) ** 2 - difference.spread**2 / difference.n
    return Verdict(
        NOT_DISTINGUISHABLE,
        None if needed is None else max(1, needed - difference.n),
        math.ceil(difference.luck / room) if difference.luck and room > 0 else None,
        times_samples(difference, alpha=alpha / tests),
    )


def questions_needed(
    difference: float, spread: float, *, alpha: float, luck: float = 0.0
) -> int | None:
    """Questions that show a true difference of this size with power 0.8 (normal approximation).

    None where no difference or no spread was seen, since no number follows from that, and where the
    variance `luck` of training seeds hides such a difference at any number of questions.
    """
    if abs(difference) < 1e-12 or spread == 0:
        return None
    room = (difference / _quantiles(alpha)) ** 2 - luck
    return math.ceil(spread**2 / room) if room > 0 else None


def times_samples(difference: Difference, *, alpha: float) -> float | None:
    """How many times the samples of the same questions show a true difference of this size with power 0.8.

    Of the variance of a question's difference only the share of sampling, `noise`, shrinks with samples; the
    rest lies between questions (Miller 2024, arXiv 2411.00640, section 3.2). Infinite where that rest, or the
    luck of training, hides the difference. None where no difference was seen or the noise is not known.
    """
    if difference.noise is None or abs(difference.value) < 1e-12 or difference.spread == 0:
        return None
    between = max(0.0, difference.spread**2 - difference.noise)
    wanted = (difference.value / _quantiles(alpha)) ** 2 - difference.luck
    room = difference.n * wanted - between
    return max(1.0, difference.noise / room) if room > 0 else math.inf


def detectable(spread: float, n: int, *, alpha: float, luck: float = 0.0) -> float:
    """The smallest true difference that n questions show with power 0.8 (normal approximation)."""
    return _quantiles(alpha) * math.sqrt(spread**2 / n + luck)


def power(difference: float, spread: float, n: int, *, alpha: float, luck: float = 0.0) -> float:
    """The chance that n questions show a true difference of this size (normal approximation)."""
    error = math.sqrt(spread**2 / n + luck)
    if error == 0:
        return 1.0
    found, limit = abs(difference) / error, stats.norm.ppf(1 - alpha / 2)
    return float(stats.norm.sf(limit - found) + stats.norm.cdf(-limit - found))


def _quantiles(alpha: float) -> float:
    return float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(POWER))
