"""What the simulations of `bench_statistics.py` share: difficulties, students and how coverage is said."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from figure import Figure
from scipy import optimize, special

from sourcewise import statistics
from sourcewise.report.scores import Score

Floats = npt.NDArray[np.float64]
Shape = tuple[float, float]

QUESTIONS, SAMPLES = (30, 500), (4, 16, 64)
# Parameters of the beta distribution of chances over questions, by the scores that they give.
DIFFICULTIES = {
    "scores of 10 to 80 %": ((0.5, 0.5), (2.0, 2.0), (1.2, 0.3), (0.52, 0.28), (0.3, 2.7)),
    "scores of 3, 97 and 99 %": ((0.3, 9.0), (9.0, 0.3), (1.98, 0.02)),
}
LEVEL, ALPHA = 0.95, 0.05
LOW, HIGH = 0.93, 0.97
RESAMPLES = 1000
# Name, questions and samples of the paper's benchmarks; LiveCodeBench's window holds about as many.
BENCHMARKS = {
    "aime2024": (30, 64),
    "aime2025": (30, 64),
    "math500": (500, 4),
    "livecodebench": (167, 16),
}
# A student with a mean of 80 %.
STRONG = (1.2, 0.3)


class Coverage(NamedTuple):
    """Of a simulated interval and of a plain one beside it: the shares that hold the true value."""

    ours: float
    plain: float


def coverage(what: str, plain: str, found: list[Coverage]) -> Figure:
    """The range over difficulties."""
    low, high = min(one.ours for one in found), max(one.ours for one in found)
    beside = f"{plain} {span(min(o.plain for o in found), max(o.plain for o in found))}"
    met = round(low, 3) >= LOW and round(high, 3) <= HIGH
    return Figure(f"coverage: {what}", span(low, high), beside, "93 to 97 %", met)


def span(low: float, high: float) -> str:
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def holds(interval: tuple[float, ...], truth: float) -> bool:
    return interval[0] - 1e-9 <= truth <= interval[1] + 1e-9


def drawn_logits(rng: np.random.Generator, n: int, shape: tuple[float, float] = STRONG) -> Floats:
    """Chances at n questions, in logits."""
    return special.logit(np.clip(rng.beta(*shape, n), 1e-9, 1 - 1e-9))


def score(student: str, benchmark: str, shares: Floats, k: int) -> Score:
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


def shift_for(
    rng: np.random.Generator, effect: float, spread: float, shape: tuple[float, float] = STRONG
) -> float:
    """The logits that put a student whose chances vary by `spread` so much below another."""
    logits = drawn_logits(rng, 1_000_000, shape)
    wanted = special.expit(logits).mean() - effect
    varied = logits + spread * rng.normal(size=logits.size)
    return float(optimize.brentq(lambda x: special.expit(varied - x).mean() - wanted, -5, 20))
