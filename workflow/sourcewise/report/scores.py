"""Students at benchmarks: the score of each, and every pair of them on the questions they share."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sourcewise import statistics
from sourcewise.tables import Response, Verdict

# The verifier could not judge these, which is not the model's fault: they are counted, never as wrong.
UNJUDGED = frozenset({"bad_reference", "judge_error", "unavailable", "infrastructure"})
FULL_SCORE = 1.0 - 1e-9


@dataclass(frozen=True)
class Score:
    """One student at one benchmark; `interval` is None where no sample could be judged.

    A sample is correct with the full score: all tests, all constraints. `means` maps a question to its
    share of correct samples. `seeds` maps the students that were pooled, which differ in the seed of
    their training only, to their scores; an untrained model has none.
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
    seeds: dict[str, float] = field(default_factory=dict)


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
        seeds={student: math.fsum(means.values()) / len(means)} if means else {},
    )


def _best_of(questions: Iterable[list[bool]], k: int) -> float:
    chances = [statistics.pass_at_k(len(answers), sum(answers), k) for answers in questions]
    return math.fsum(chances) / len(chances)


def luck_of_training(scores: Iterable[Score], benchmark: str) -> statistics.Luck | None:
    """The variance between training seeds at a benchmark; None where no student has two."""
    return statistics.luck(list(one.seeds.values()) for one in scores if one.benchmark == benchmark)


def compare(
    scores: Sequence[Score], *, confidence: float, resamples: int, seed: int
) -> list[Comparison]:
    """Every pair of students at every benchmark; one Holm family over all of them.

    Where a benchmark shows the luck of training (`seeds.pooled`), it enters all pairs of the trained.
    """
    alpha = 1 - confidence
    luck = {one.benchmark: luck_of_training(scores, one.benchmark) for one in scores}
    pairs = [
        (a, b) if _value(a) >= _value(b) else (b, a)
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
        if difference is None:
            continue
        if shown := luck[a.benchmark]:
            seeds = (len(a.seeds), len(b.seeds))
            difference = statistics.difference_of_seeds(difference, shown, seeds, confidence)
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
            detectable=statistics.detectable(
                difference.spread, difference.n, alpha=alpha / n, luck=difference.luck
            ),
        )
        for (a, b, difference), p in zip(found, corrected, strict=True)
    ]


def _value(score: Score) -> float:
    return score.interval.value if score.interval else -1.0
