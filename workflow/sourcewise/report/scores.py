"""Students at benchmarks: the score of each, and every pair of them on the questions they share."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from sourcewise import statistics
from sourcewise.loops import loop
from sourcewise.tables import Response, Verdict

# The verifier could not judge these, which is not the model's fault: they are counted, never as wrong.
UNJUDGED = frozenset({"bad_reference", "judge_error", "unavailable", "infrastructure"})
FULL_SCORE = 1.0 - 1e-9
# A phrase that follows itself more often than this makes a sample one that loops.
REPEATS = 20


@dataclass(frozen=True)
class Score:
    """One student at one benchmark; `interval` is None where no sample could be judged.

    A sample is correct with the full score: all tests, all constraints. `means` maps a question to its
    share of correct samples, `judged` to how many samples were judged, `noise` to the variance of its
    share by sampling, None where one sample does not show it. `best_of` is pass@k; k is `fewest`, the fewest
    judged samples of a question, `most` the most.
    `truncated` and `looping` are shares of all samples; a sample may be both, which `stuck` counts.
    `seeds` maps the students that were pooled, which differ in the seed of their training only, to their
    scores; an untrained model has none.
    """

    student: str
    benchmark: str
    interval: statistics.Interval | None
    means: dict[str, float]
    judged: dict[str, int]
    noise: dict[str, float | None]
    fewest: int
    most: int
    best_of: statistics.Interval | None
    unjudged: int
    statuses: dict[str, int]
    tokens: float | None
    truncated: float | None
    looping: float | None
    stuck: float | None
    verifiers: frozenset[str] = frozenset()
    seeds: dict[str, float] = field(default_factory=dict)

    @property
    def n_samples(self) -> int:
        """All judged samples."""
        return sum(self.judged.values())


@dataclass(frozen=True)
class Comparison:
    """Two students on the questions they share; `first` has the higher score there.

    `samples` are those of a question, the fewest of both.
    """

    benchmark: str
    first: str
    second: str
    difference: statistics.Difference
    corrected: float
    verdict: statistics.Verdict
    detectable: float
    samples: int

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
    verifiers = set()
    for grade in grades:
        statuses[grade.status] += 1
        verifiers.add(grade.verifier)
        if grade.status not in UNJUDGED:
            by_question[grade.query_id].append(correct(grade))
    ends = [_end(sample) for sample in samples]
    lengths = [end.tokens for end in ends]
    means = {q: sum(answers) / len(answers) for q, answers in sorted(by_question.items())}
    judged = {question: len(by_question[question]) for question in means}
    return _measured(
        Score(
            student=student,
            benchmark=benchmark,
            interval=None,
            means=means,
            judged=judged,
            noise={q: statistics.sampling_noise(mean, judged[q]) for q, mean in means.items()},
            fewest=0,
            most=0,
            best_of=None,
            unjudged=sum(statuses[status] for status in UNJUDGED),
            statuses=dict(sorted(statuses.items())),
            tokens=math.fsum(lengths) / len(lengths) if lengths else None,
            truncated=_share([end.cut for end in ends]),
            looping=_share([end.loops for end in ends]),
            stuck=_share([end.cut and end.loops for end in ends]),
            verifiers=frozenset(verifiers),
            seeds={student: math.fsum(means.values()) / len(means)} if means else {},
        ),
        confidence,
    )


class End(NamedTuple):
    """How a sample ended: its length, whether it was cut at the limit, and whether it turned in a loop."""

    tokens: int
    cut: bool
    loops: bool


def _end(sample: Response) -> End:
    loops = loop(sample.text, REPEATS) is not None
    return End(sample.n_tokens, sample.finish_reason == "length", loops)


def _share(found: Sequence[bool]) -> float | None:
    return sum(found) / len(found) if found else None


def _measured(one: Score, confidence: float) -> Score:
    """A score with the intervals of its questions."""
    if not one.means:
        return one
    k = min(one.judged.values())
    best = list(chances(one, k).values())
    return replace(
        one,
        interval=statistics.average(list(one.means.values()), one.n_samples, confidence),
        fewest=k,
        most=max(one.judged.values()),
        best_of=statistics.best_of(best, one.n_samples, k, confidence),
    )


def chances(one: Score, k: int) -> dict[str, float]:
    """pass@k of each question of a student of one training."""
    return {
        q: statistics.pass_at_k(one.judged[q], round(mean * one.judged[q]), k)
        for q, mean in one.means.items()
    }


def without(one: Score, questions: Collection[str], confidence: float) -> Score:
    """The score over the questions that are left without some."""
    left = {q: mean for q, mean in one.means.items() if q not in questions}
    cut = replace(
        one,
        interval=None,
        fewest=0,
        most=0,
        best_of=None,
        means=left,
        judged={q: one.judged[q] for q in left},
        noise={q: one.noise[q] for q in left},
        seeds={one.student: math.fsum(left.values()) / len(left)} if left else {},
    )
    return _measured(cut, confidence)


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
            permutations=permutations,
            seed=f"{seed}/{a.benchmark}/{'/'.join(sorted((a.student, b.student)))}",
        )
        if difference is None:
            continue
        difference = difference._replace(noise=_noise(a, b))
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
            samples=min(a.fewest, b.fewest),
        )
        for (a, b, difference), p in zip(found, corrected, strict=True)
    ]


def _noise(a: Score, b: Score) -> float | None:
    """The share of sampling in the variance of a shared question's difference, the mean over questions."""
    own = [noise for q in a.means.keys() & b.means.keys() for noise in (a.noise[q], b.noise[q])]
    known = [noise for noise in own if noise is not None]
    return 2 * math.fsum(known) / len(known) if own and len(known) == len(own) else None


def _value(score: Score) -> float:
    return score.interval.value if score.interval else -1.0
