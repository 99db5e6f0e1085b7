"""Students at benchmarks: the score of each, and every pair of them on the questions they share."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sourcewise import statistics
from sourcewise.tables import Response, Verdict

# The verifier could not judge these, which is not the model's fault: they are counted, never as wrong.
UNJUDGED = frozenset({"bad_reference", "judge_error", "unavailable", "infrastructure"})
FULL_SCORE = 1.0 - 1e-9


@dataclass(frozen=True)
class Score:
    """One student at one benchmark; `interval` is None where no sample could be judged.

    A sample is correct with the full score: all tests, all constraints. `means` maps a question to its
    share of correct samples.
    """

    student: str
    benchmark: str
    interval: statistics.Interval | None
    means: dict[str, float]
    n_samples: int
    fewest: int
    most: int
    best_of: float | None
    unjudged: int
    statuses: dict[str, int]
    tokens: float | None
    truncated: float | None


@dataclass(frozen=True)
class Comparison:
    """Two students on the questions they share; `first` has the higher score there."""

    benchmark: str
    first: str
    second: str
    difference: statistics.Difference
    corrected: float
    verdict: statistics.Verdict
    detectable: float

    @property
    def better(self) -> bool:
        """Whether the data decide that `first` is better."""
        return self.verdict.word == statistics.BETTER


def correct(verdict: Verdict) -> bool:
    """Whether the verifier gave the full score."""
    return verdict.score is not None and verdict.score >= FULL_SCORE


def score(
    student: str,
    benchmark: str,
    *,
    grades: Iterable[Verdict],
    samples: Iterable[Response],
    confidence: float,
) -> Score:
    """The score of a student from the grades and the samples of a benchmark."""
    by_question: defaultdict[str, list[bool]] = defaultdict(list)
    statuses: Counter[str] = Counter()
    for grade in grades:
        statuses[grade.status] += 1
        if grade.status not in UNJUDGED:
            by_question[grade.query_id].append(correct(grade))
    lengths, cut = [], 0
    for sample in samples:
        lengths.append(sample.n_tokens)
        cut += sample.finish_reason == "length"
    sizes = [len(answers) for answers in by_question.values()] or [0]
    means = {q: sum(answers) / len(answers) for q, answers in sorted(by_question.items())}
    return Score(
        student=student,
        benchmark=benchmark,
        interval=statistics.average(list(means.values()), sum(sizes), confidence)
        if means
        else None,
        means=means,
        n_samples=sum(sizes),
        fewest=min(sizes),
        most=max(sizes),
        best_of=_best_of(by_question.values(), min(sizes)) if means else None,
        unjudged=sum(statuses[status] for status in UNJUDGED),
        statuses=dict(sorted(statuses.items())),
        tokens=math.fsum(lengths) / len(lengths) if lengths else None,
        truncated=cut / len(lengths) if lengths else None,
    )


def _best_of(questions: Iterable[list[bool]], k: int) -> float:
    chances = [statistics.pass_at_k(len(answers), sum(answers), k) for answers in questions]
    return math.fsum(chances) / len(chances)


def compare(
    scores: Sequence[Score], *, confidence: float, resamples: int, seed: int
) -> list[Comparison]:
    """Every pair of students at every benchmark; one Holm family over all of them."""
    alpha = 1 - confidence
    pairs = [
        (a, b) if _mean(a) >= _mean(b) else (b, a)
        for a, b in itertools.combinations(scores, 2)
        if a.benchmark == b.benchmark
    ]
    # Enough permutations that the smallest p-value survives the correction for all pairs.
    permutations = max(resamples, math.ceil(20 * len(pairs) / alpha))
    found = []
    for a, b in pairs:
        difference = statistics.paired_difference(
            a.means,
            b.means,
            confidence=confidence,
            resamples=resamples,
            permutations=permutations,
            seed=f"{seed}/{a.benchmark}/{'/'.join(sorted((a.student, b.student)))}",
        )
        if difference is not None:
            found.append((a, b, difference))
    corrected = statistics.holm([difference.p for _, _, difference in found])
    n = len(found)
    return [
        Comparison(
            benchmark=a.benchmark,
            first=a.student,
            second=b.student,
            difference=difference,
            corrected=p,
            verdict=statistics.verdict(difference, p, alpha=alpha, tests=n),
            detectable=statistics.detectable(difference.spread, difference.n, alpha=alpha / n),
        )
        for (a, b, difference), p in zip(found, corrected, strict=True)
    ]


def _mean(score: Score) -> float:
    return score.interval.value if score.interval else -1.0
