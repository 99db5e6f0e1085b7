"""How often students that are equal are called better."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from figure import Figure
from scipy import special
from simulated import ALPHA, BENCHMARKS, LEVEL, RESAMPLES, drawn_logits, score, shift_for

from sourcewise.params.students import Student
from sourcewise.report.scores import compare
from sourcewise.report.seeds import pooled

FAMILIES = 1000
STUDENTS = 3
# Standard deviation, in logits, of a student's ability between trainings that differ in the seed only.
LUCK = 0.15


def figures() -> Iterator[Figure]:
    """Equal students of one training, then of several."""
    rng = np.random.default_rng(20_26)
    for spreads in ((0.0, 0.0, 0.0), (0.0, 1.0, 2.0)):
        yield _false_better(rng, spreads)
    for seeds in (1, 2, 3):
        yield from _lucky(rng, seeds)


def _false_better(rng: np.random.Generator, spreads: tuple[float, ...]) -> Figure:
    """Families of comparisons without a true difference in which some pair is called better."""
    shifts = [shift_for(rng, 0.0, spread) for spread in spreads]
    wrong = naive = 0
    for family in range(FAMILIES):
        scores = [
            score(f"student {number}", name, rng.binomial(k, special.expit(chance)) / k, k)
            for name, (n, k) in BENCHMARKS.items()
            for logits in [drawn_logits(rng, n)]
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
            score(name, benchmark, rng.binomial(k, special.expit(logits + shift)) / k, k)
            for benchmark, (n, k) in BENCHMARKS.items()
            for logits in [drawn_logits(rng, n)]
            for name, shift in zip(students, shifts, strict=True)
        ]
        found = pooled(scores, students, reference=None, confidence=LEVEL)
        pairs = compare(found, confidence=LEVEL, resamples=RESAMPLES, seed=family)
        wrong += any(pair.better for pair in pairs)
        holding += sum(pair.difference.low <= 0 <= pair.difference.high for pair in pairs)
        pairs_seen += len(pairs)
    points = 100 * (0.8 - float(np.mean(special.expit(drawn_logits(rng, 1_000_000) - LUCK))))
    yield Figure(
        f"false “better”: {STUDENTS} equal recipes of {seeds} training seed{'s' * (seeds > 1)} each, "
        f"luck of training ± {points:.1f} points",
        f"{100 * wrong / FAMILIES:.1f} % of {FAMILIES} families",
        f"intervals of differences hold 0: {100 * holding / pairs_seen:.1f} %",
        "≤ 5 %" if seeds > 1 else "none: one seed does not show it",
        wrong / FAMILIES <= ALPHA if seeds > 1 else None,
    )
