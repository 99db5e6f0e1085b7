"""What the report's intervals and verdicts are worth in simulation: one table, each figure beside its limit.

    .venvs/workflow/bin/python tests/bench/bench_statistics.py [--peer PYTHON] [--check]

Questions differ in difficulty by a beta distribution, samples of a question are independent given it. `--check`
exits with 1 where a target is missed. `--peer` is the Python of an environment with statsmodels, against which
the estimators are checked (`statistics_peer.py`). `±` is two standard errors.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from figure import Figure, print_table
from scipy import optimize, special, stats

from sourcewise import error_rates, statistics
from sourcewise.params.students import Student
from sourcewise.report.scores import Score, compare
from sourcewise.report.seeds import pooled

Floats = npt.NDArray[np.float64]

QUESTIONS, SAMPLES = (30, 500), (4, 16, 64)
# Parameters of the beta distribution of chances over questions, by the scores that they give.
DIFFICULTIES = {
    "scores of 10 to 80 %": ((0.5, 0.5), (2.0, 2.0), (1.2, 0.3), (0.52, 0.28), (0.3, 2.7)),
    "scores of 3, 97 and 99 %": ((0.3, 9.0), (9.0, 0.3), (1.98, 0.02)),
}
ORDINARY = DIFFICULTIES["scores of 10 to 80 %"]
PAIRED = {
    "scores of 10 to 80 %": ((0.5, 0.5), (1.2, 0.3), (0.3, 2.7)),
    "scores of 3 and 97 %": ((0.3, 9.0), (9.0, 0.3)),
}
LEVEL, ALPHA = 0.95, 0.05
LOW, HIGH = 0.93, 0.97
RESAMPLES, FAMILIES, POWER_RUNS = 1000, 1000, 1000
RUNS = {30: 8000, 500: 4000}
PAIRED_RUNS = {30: 6000, 500: 4000}
BEST_RUNS, ERROR_RUNS = {30: 6000, 500: 4000}, 3000
# The bootstrap beside them takes most of the time.
PLAIN_RUNS = 300
# Name, questions and samples of the paper's benchmarks; LiveCodeBench's window holds about as many.
BENCHMARKS = {
    "aime2024": (30, 64),
    "aime2025": (30, 64),
    "math500": (500, 4),
    "livecodebench": (167, 16),
}
# By so many logits is the second student of a pair worse: not at all, or 1 to 8 points.
SHIFTS = (0.0, 0.7)
EFFECTS = (0.02, 0.05, 0.10, 0.15, 0.20)
STUDENTS = 3
# A student with a mean of 80 %, and one of the paper's 84.3 %.
STRONG = (1.2, 0.3)
PAPER = (0.843, 0.794)
PAPER_SHAPE = (1.5 * PAPER[0], 1.5 * (1 - PAPER[0]))
# Standard deviation, in logits, of a student's ability between trainings that differ in the seed only.
LUCK = 0.15
# Two students of equal mean differ question by question by so many logits.
SPREAD = 1.0


class Coverage(NamedTuple):
    """Of a simulated interval and of a plain one beside it: the shares that hold the true value."""

    ours: float
    plain: float


def figures(peer: str | None) -> Iterator[Figure]:
    """Coverage of both intervals, false verdicts, power, and the check against statsmodels."""
    rng = np.random.default_rng(20_26)
    for (said, shapes), n, k in itertools.product(DIFFICULTIES.items(), QUESTIONS, SAMPLES):
        found = [_average(rng, n, k, shape) for shape in shapes]
        yield _coverage(f"avg@{k}, {n} questions, {said}", "Student's t", found)
    for n, k in itertools.product(QUESTIONS, SAMPLES):
        yield _one_trial(n, k)
    for n in QUESTIONS:
        yield _any_chance(n)
    for n, (k, of) in itertools.product(QUESTIONS, ((4, 16), (4, 64), (16, 64))):
        cells = [_best_of(rng, n, k, of, shape) for shape in ORDINARY]
        what = f"pass@{k} of {of} samples, {n} questions, scores of 10 to 80 %"
        yield _coverage(what, "Student's t", cells)
    yield _without_errors(rng)
    for (said, shapes), n, k in itertools.product(PAIRED.items(), QUESTIONS, SAMPLES):
        cells = itertools.product(shapes, SHIFTS)
        found = [_difference(rng, n, k, shape, shift) for shape, shift in cells]
        what = f"paired difference, {n} questions x {k}, {said}"
        yield _coverage(what, "percentile bootstrap", found)
    for spreads in ((0.0, 0.0, 0.0), (0.0, 1.0, 2.0)):
        yield _false_better(rng, spreads)
    for seeds in (1, 2, 3):
        yield from _lucky(rng, seeds)
    for name in ("aime2024", "livecodebench", "math500"):
        yield from _power(rng, name)
    for spread in (0.5, 1.0, 1.5):
        yield _paper(rng, spread)
    if peer is not None:
        yield from _closed_forms(peer)


def _coverage(what: str, plain: str, found: list[Coverage]) -> Figure:
    """The range over difficulties."""
    low, high = min(one.ours for one in found), max(one.ours for one in found)
    beside = f"{plain} {_range(min(o.plain for o in found), max(o.plain for o in found))}"
    met = round(low, 3) >= LOW and round(high, 3) <= HIGH
    return Figure(f"coverage: {what}", _range(low, high), beside, "93 to 97 %", met)


def _range(low: float, high: float) -> str:
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def _average(rng: np.random.Generator, n: int, k: int, shape: tuple[float, float]) -> Coverage:
    truth, runs = shape[0] / sum(shape), RUNS[n]
    means = rng.binomial(k, rng.beta(*shape, (runs, n))) / k
    ours = sum(_holds(statistics.average(row, n * k, LEVEL)[1:3], truth) for row in means.tolist())
    half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * np.std(means, axis=1, ddof=1) / math.sqrt(n)
    return Coverage(ours / runs, float(np.mean(np.abs(means.mean(axis=1) - truth) <= half)))


def _best_of(
    rng: np.random.Generator, n: int, k: int, of: int, shape: tuple[float, float]
) -> Coverage:
    truth, runs = _best_chance(shape, k), BEST_RUNS[n]
    correct = rng.binomial(of, rng.beta(*shape, (runs, n)))
    chance = np.array([statistics.pass_at_k(of, right, k) for right in range(of + 1)])[correct]
    ours = sum(
        _holds(statistics.best_of(row, n * of, k, LEVEL)[1:3], truth) for row in chance.tolist()
    )
    half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * np.std(chance, axis=1, ddof=1) / math.sqrt(n)
    plain = float(np.mean(np.abs(chance.mean(axis=1) - truth) <= half + 1e-12))
    return Coverage(ours / runs, plain)


def _best_chance(shape: tuple[float, float], k: int) -> float:
    """The mean of pass@k over questions: 1 - E(1 - p)^k."""
    return 1 - float(special.beta(shape[0], shape[1] + k) / special.beta(*shape))


def _one_trial(n: int, k: int) -> Figure:
    """pass@k of k samples is a share of n trials, so coverage is a sum over their outcomes, without noise.

    Steps of one outcome near 1 leave some chances that no interval covers with 93 to 97 %; there the least
    above it is the limit.
    """
    cells = [(chance, _trials(n, k, chance)) for chance in (_best_chance(s, k) for s in ORDINARY)]
    low, high = min(one.ours for _, one in cells), max(one.ours for _, one in cells)
    over = {chance: one.ours for chance, one in cells if round(one.ours, 3) > HIGH}
    least = {chance: _least(n, chance) for chance in over}
    said = "".join(
        f"; at {100 * chance:.1f} % no interval has 93 % and less than {100 * share:.1f}"
        for chance, share in least.items()
        if round(share, 3) > HIGH
    )
    plain = _range(min(one.plain for _, one in cells), max(one.plain for _, one in cells))
    met = low >= LOW and all(over[chance] <= max(HIGH, least[chance]) + 1e-9 for chance in over)
    what = f"coverage: pass@{k} of {k} samples, {n} questions, scores of 10 to 80 %"
    return Figure(what, _range(low, high), f"Student's t {plain}", f"93 to 97 %{said}", met)


def _any_chance(n: int) -> Figure:
    """pass@k of k samples at 2,000 chances and not only those that the shapes happen to give."""
    cells = [_trials(n, 4, chance) for chance in np.linspace(0.5, 1, 2001)[:-1].tolist()]
    low, high = min(one.ours for one in cells), max(one.ours for one in cells)
    mean = float(np.mean([one.ours for one in cells]))
    beside = f"mean {100 * mean:.1f} %; Student's t from {100 * min(o.plain for o in cells):.1f} %"
    what = f"coverage: pass@k of k samples, {n} questions, chances of 50 to 99.975 %"
    return Figure(what, _range(low, high), beside, "≥ 93 %", low >= LOW)


def _trials(n: int, k: int, chance: float) -> Coverage:
    """Coverage of a share of n trials, summed over all outcomes."""
    likely = stats.binom.pmf(np.arange(n + 1), n, chance)
    kinds = ([one.ours for one in _intervals(n, k)], [one.plain for one in _intervals(n, k)])
    ours, plain = (
        sum(p for p, ends in zip(likely, kind, strict=True) if _holds(ends, chance))
        for kind in kinds
    )
    return Coverage(float(ours), float(plain))


class Ends(NamedTuple):
    """Both intervals of one outcome."""

    ours: tuple[float, ...]
    plain: tuple[float, ...]


@functools.cache
def _intervals(n: int, k: int) -> list[Ends]:
    """The intervals of 0 to n questions solved."""
    found = []
    for solved in range(n + 1):
        row = [1.0] * solved + [0.0] * (n - solved)
        half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * float(np.std(row, ddof=1)) / math.sqrt(n)
        ours = statistics.best_of(row, n * k, k, LEVEL)[1:3]
        found.append(Ends(ours, (solved / n - half, solved / n + half)))
    return found


def _least(n: int, chance: float) -> float:
    """The least coverage of at least LOW that neighbouring outcomes of n trials add up to."""
    below = np.concatenate([[0.0], np.cumsum(stats.binom.pmf(np.arange(n + 1), n, chance))])
    shares = below[None, :] - below[:, None]
    return float(np.min(shares[shares >= LOW]))


def _without_errors(rng: np.random.Generator) -> Figure:
    """Scores with the verifier's errors taken out, by rates from labelled sets of 150 and 150 answers."""
    found = []
    for accepts, rejects in ((0.01, 0.02), (0.05, 0.1), (0.1, 0.01)):
        for n, k, shape in ((30, 16, (1.2, 0.3)), (500, 4, (0.5, 0.5)), (30, 64, (0.3, 2.7))):
            truth = shape[0] / sum(shape)
            ours = plain = 0
            for _ in range(ERROR_RUNS):
                right = rng.binomial(k, rng.beta(*shape, n))
                passed = rng.binomial(right, 1 - rejects) + rng.binomial(k - right, accepts)
                measured = statistics.average((passed / k).tolist(), n * k, LEVEL)
                rates = [statistics.exact(rng.binomial(150, rate), 150, LEVEL)
                         for rate in (accepts, rejects)]  # fmt: skip
                corrected = error_rates.corrected(measured, *rates)
                assert corrected is not None
                ours += _holds(corrected[1:3], truth)
                plain += _holds(measured[1:3], truth)
            found.append(Coverage(ours / ERROR_RUNS, plain / ERROR_RUNS))
    low, high = min(one.ours for one in found), max(one.ours for one in found)
    beside = _range(min(one.plain for one in found), max(one.plain for one in found))
    what = "coverage: scores without the verifier's errors, rates from 150 + 150 answers"
    met = round(low, 3) >= LOW and round(high, 3) <= HIGH
    return Figure(what, _range(low, high), f"as measured {beside}", "93 to 97 %", met)


def _holds(interval: tuple[float, ...], truth: float) -> bool:
    return interval[0] - 1e-9 <= truth <= interval[1] + 1e-9


def _pair(
    rng: np.random.Generator, size: tuple[int, int], shape: tuple[float, float], shift: float
) -> tuple[Floats, Floats]:
    """Chances of two students: the second is `shift` logits worse, and with it differs question by question."""
    first = np.clip(rng.beta(*shape, size), 1e-9, 1 - 1e-9)
    if shift == 0:
        return first, first
    return first, special.expit(special.logit(first) - shift + rng.normal(size=size))


def _difference(
    rng: np.random.Generator, n: int, k: int, shape: tuple[float, float], shift: float
) -> Coverage:
    first, second = _pair(rng, (1, 2_000_000), shape, shift)
    truth = float(np.mean(first - second))
    runs = PAIRED_RUNS[n]
    first, second = _pair(rng, (runs, n), shape, shift)
    first, second = rng.binomial(k, first) / k, rng.binomial(k, second) / k
    names = [str(question) for question in range(n)]
    ours = plain = 0
    for run, (a, b) in enumerate(zip(first, second, strict=True)):
        named = [dict(zip(names, row.tolist(), strict=True)) for row in (a, b)]
        found = _compared(*named, str(run))
        ours += _holds((found.low, found.high), truth)
        plain += run < PLAIN_RUNS and _holds(_percentiles(rng, a - b), truth)
    return Coverage(ours / runs, plain / PLAIN_RUNS)


def _compared(
    first: dict[str, float], second: dict[str, float], seed: str
) -> statistics.Difference:
    found = statistics.paired_difference(first, second, confidence=LEVEL, permutations=1, seed=seed)
    assert found is not None
    return found


def _percentiles(rng: np.random.Generator, differences: Floats) -> tuple[float, ...]:
    values, counts = np.unique(np.round(differences, 12), return_counts=True)
    n = len(differences)
    drawn = rng.multinomial(n, counts / n, size=RESAMPLES) @ values / n
    return tuple(np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist())


def _false_better(rng: np.random.Generator, spreads: tuple[float, ...]) -> Figure:
    """Families of comparisons without a true difference in which some pair is called better."""
    shifts = [_shift(rng, 0.0, spread) for spread in spreads]
    wrong = naive = 0
    for family in range(FAMILIES):
        scores = [
            _score(f"student {number}", name, rng.binomial(k, special.expit(chance)) / k, k)
            for name, (n, k) in BENCHMARKS.items()
            for logits in [_logits(rng, n)]
            for number, chance in enumerate(
                logits - shift + spread * rng.normal(size=n)
                for shift, spread in zip(shifts, spreads, strict=True)
            )
        ]
        pairs = compare(scores, confidence=LEVEL, resamples=RESAMPLES, seed=family)
        wrong += any(pair.better for pair in pairs)
        naive += any(pair.difference.p < ALPHA for pair in pairs)
    share = wrong / FAMILIES
    error = 2 * math.sqrt(ALPHA * (1 - ALPHA) / FAMILIES)
    return Figure(
        f"false “better”: {len(spreads)} students, {len(BENCHMARKS)} benchmarks, "
        + ("equal at every question" if not any(spreads) else "equal in the mean only"),
        f"{100 * share:.1f} ± {100 * error:.1f} % of {FAMILIES} families",
        f"without Holm's correction {100 * naive / FAMILIES:.1f} %",
        "≤ 5 %",
        share <= ALPHA,
    )


def _lucky(rng: np.random.Generator, seeds: int) -> Iterator[Figure]:
    """Students of equal recipes, whose every training is better or worse by chance."""
    students = {
        f"student {number} seed {seed}": Student(dataset=f"d{number}", seed=seed)
        for number in range(STUDENTS)
        for seed in range(seeds)
    }
    wrong = holding = pairs_seen = 0
    for family in range(FAMILIES):
        shifts = rng.normal(size=len(students)) * LUCK
        scores = [
            _score(name, benchmark, rng.binomial(k, special.expit(logits + shift)) / k, k)
            for benchmark, (n, k) in BENCHMARKS.items()
            for logits in [_logits(rng, n)]
            for name, shift in zip(students, shifts, strict=True)
        ]
        found = pooled(scores, students, reference=None, confidence=LEVEL)
        pairs = compare(found, confidence=LEVEL, resamples=RESAMPLES, seed=family)
        wrong += any(pair.better for pair in pairs)
        holding += sum(pair.difference.low <= 0 <= pair.difference.high for pair in pairs)
        pairs_seen += len(pairs)
    points = 100 * (0.8 - float(np.mean(special.expit(_logits(rng, 1_000_000) - LUCK))))
    yield Figure(
        f"false “better”: {STUDENTS} equal recipes of {seeds} training seed{'s' * (seeds > 1)} each, "
        f"luck of training ± {points:.1f} points",
        f"{100 * wrong / FAMILIES:.1f} % of {FAMILIES} families",
        f"intervals of differences hold 0: {100 * holding / pairs_seen:.1f} %",
        "≤ 5 %" if seeds > 1 else "none: one seed does not show it",
        wrong / FAMILIES <= ALPHA if seeds > 1 else None,
    )


def _logits(rng: np.random.Generator, n: int, shape: tuple[float, float] = STRONG) -> Floats:
    """Chances at n questions, in logits."""
    return special.logit(np.clip(rng.beta(*shape, n), 1e-9, 1 - 1e-9))


def _score(student: str, benchmark: str, shares: Floats, k: int) -> Score:
    means = {str(question): share for question, share in enumerate(shares.tolist())}
    n = len(means) * k
    interval = statistics.average(list(means.values()), n, LEVEL)
    return Score(
        student=student,
        benchmark=benchmark,
        interval=interval,
        means=means,
        judged=dict.fromkeys(means, k),
        noise={q: statistics.sampling_noise(share, k) for q, share in means.items()},
        fewest=k,
        most=k,
        best_of=None,
        unjudged=0,
        statuses={},
        tokens=None,
        truncated=None,
        looping=None,
        stuck=None,
        seeds={student: interval.value},
    )


def _power(rng: np.random.Generator, name: str) -> Iterator[Figure]:
    """How often a true difference is called better, alone and as the strictest of the family's tests."""
    (n, k), tests = BENCHMARKS[name], len(BENCHMARKS) * 3
    for effect in EFFECTS:
        shift = _shift(rng, effect, SPREAD)
        alone = strict = 0
        for _ in range(POWER_RUNS):
            logits = _logits(rng, n)
            first = rng.binomial(k, special.expit(logits)) / k
            second = (
                rng.binomial(k, special.expit(logits - shift + SPREAD * rng.normal(size=n))) / k
            )
            p = statistics.sign_flip(np.round(first - second, 12), 2000, rng)
            ahead = first.mean() > second.mean()
            alone += ahead and p < ALPHA
            strict += ahead and p < ALPHA / tests
        yield Figure(
            f"power: {name}, {n} questions x {k}, {100 * effect:.0f} points below 80 %",
            f"{100 * alone / POWER_RUNS:.0f} %",
            f"at the strictest level of {tests} tests {100 * strict / POWER_RUNS:.0f} %",
            "",
            None,
        )


def _paper(rng: np.random.Generator, spread: float) -> Figure:
    """What the paper's 84.3 against 79.4 on AIME 2024 can mean, were the chances known to differ so."""
    n, k = BENCHMARKS["aime2024"]
    shift = _shift(rng, PAPER[0] - PAPER[1], spread, PAPER_SHAPE)
    errors, needed, alone, strict = [], [], 0, 0
    for _ in range(POWER_RUNS):
        logits = _logits(rng, n, PAPER_SHAPE)
        first = rng.binomial(k, special.expit(logits)) / k
        second = rng.binomial(k, special.expit(logits - shift + spread * rng.normal(size=n))) / k
        differences = np.round(first - second, 12)
        p = statistics.sign_flip(differences, 2000, rng)
        deviation = float(np.std(differences, ddof=1))
        errors.append(deviation / math.sqrt(n))
        needed.append(statistics.questions_needed(PAPER[0] - PAPER[1], deviation, alpha=ALPHA))
        alone += first.mean() > second.mean() and p < ALPHA
        strict += first.mean() > second.mean() and p < ALPHA / (len(BENCHMARKS) * 3)
    return Figure(
        f"84.3 against 79.4, 30 questions x 64, questions {spread:g} logits apart: called better",
        f"alone {100 * alone / POWER_RUNS:.0f} %, of 12 tests {100 * strict / POWER_RUNS:.0f} %",
        f"standard error {100 * float(np.mean(errors)):.1f} points; needs "
        f"{np.median([one for one in needed if one is not None]):.0f} questions alone",
        "",
        None,
    )


def _shift(
    rng: np.random.Generator, effect: float, spread: float, shape: tuple[float, float] = STRONG
) -> float:
    """The logits that put a student whose chances vary by `spread` so much below another."""
    logits = _logits(rng, 1_000_000, shape)
    wanted = special.expit(logits).mean() - effect
    varied = logits + spread * rng.normal(size=logits.size)
    return float(optimize.brentq(lambda x: special.expit(varied - x).mean() - wanted, -5, 20))


def _closed_forms(peer: str) -> Iterator[Figure]:
    """Ours against statsmodels in its own environment, on the same inputs."""
    rng = np.random.default_rng(1)
    proportions = [(s, n) for n in (1, 7, 30, 500) for s in range(0, n + 1, max(1, n // 7))]
    families = rng.random((20, 12)).tolist()
    samples = rng.binomial(1, rng.beta(0.5, 0.5, (30, 1)), (30, 16))
    effects = [(0.05, 0.4), (0.1, 0.3), (0.02, 0.2)]
    asked = {
        "proportions": proportions,
        "holm": families,
        "clustered": samples.tolist(),
        "needed": effects,
    }
    answer = subprocess.run(
        [peer, Path(__file__).with_name("statistics_peer.py")],
        input=json.dumps(asked),
        check=True,
        capture_output=True,
        text=True,
    )
    theirs = json.loads(answer.stdout)
    means = {str(question): mean for question, mean in enumerate(samples.mean(axis=1).tolist())}
    from_zero = _compared(means, dict.fromkeys(means, 0.0), "0")
    ours = {
        "wilson": [statistics.wilson(s, n, LEVEL)[1:3] for s, n in proportions],
        "exact": [statistics.exact(s, n, LEVEL)[1:3] for s, n in proportions],
        "holm": [statistics.holm(row) for row in families],
        "clustered": [from_zero.spread / math.sqrt(from_zero.n)],
        "needed": [statistics.questions_needed(*effect, alpha=ALPHA) for effect in effects],
    }
    said = {
        "wilson": f"Wilson intervals of {len(proportions)} proportions",
        "exact": f"Clopper-Pearson intervals of {len(proportions)} proportions",
        "holm": f"Holm's correction of {len(families)} families of 12",
        "clustered": "cluster-robust standard error, 30 x 16 (OLS with clusters)",
        "needed": "questions needed, 3 effects",
    }
    for name, values in ours.items():
        gap = float(np.max(np.abs(np.asarray(values, dtype=float) - np.asarray(theirs[name]))))
        yield Figure(
            f"{said[name]}: largest gap to statsmodels", f"{gap:.1e}", "", "≤ 1e-9", gap <= 1e-9
        )


def main() -> int:
    command = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    command.add_argument("--peer", default=None)
    command.add_argument("--check", action="store_true")
    options = command.parse_args()
    return print_table(figures(options.peer), check=options.check, tools=("numpy", "scipy"))


if __name__ == "__main__":
    sys.exit(main())
