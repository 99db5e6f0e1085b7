"""Students of several training seeds: their scores as one, with the luck of training in its interval."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sourcewise import statistics
from sourcewise.params.students import Student
from sourcewise.report.scores import Score, chances, luck_of_training


def pooled(
    scores: Sequence[Score],
    students: Mapping[str, Student],
    *,
    reference: str | None,
    confidence: float,
) -> list[Score]:
    """One score for students that differ in the seed of their training only, in the order given.

    It has the name of `reference` where that is one of them, else of the first, and counts the questions
    that all of them answered. Students of one seed alone are as lucky as these: where a benchmark shows
    the luck of training, it widens the interval of every trained student there.
    """
    groups: dict[tuple[str, str, str], list[Score]] = {}
    for one in scores:
        student = students[one.student]
        alone = student.dataset is None or not one.means
        recipe = f"{student.base.model if student.base else ''}/{student.dataset or ''}"
        key = (one.benchmark, recipe, one.student if alone else "")
        if any(students[other.student].seed == student.seed for other in groups.get(key, [])):
            key = (*key[:2], one.student)
        groups.setdefault(key, []).append(one)
    found = []
    for group in groups.values():
        shared = set.intersection(*(set(one.means) for one in group))
        parts = [group] if shared else [[one] for one in group]
        found += [_pool(part, reference, confidence) for part in parts]
    trained = [one if students[one.student].dataset else replace(one, seeds={}) for one in found]
    luck = {one.benchmark: luck_of_training(trained, one.benchmark) for one in trained}
    return [_wider(one, luck[one.benchmark], confidence) for one in trained]


def _pool(group: Sequence[Score], reference: str | None, confidence: float) -> Score:
    if len(group) == 1:
        return group[0]
    names = [one.student for one in group]
    shared = sorted(set.intersection(*(set(one.means) for one in group)))
    means = {q: math.fsum(one.means[q] for one in group) / len(group) for q in shared}
    statuses: Counter[str] = Counter()
    for one in group:
        statuses.update(one.statuses)
    judged = {q: sum(one.judged[q] for one in group) for q in shared}
    n_samples = sum(judged.values())
    # pass@k of different k has no mean.
    k = group[0].fewest if len({one.fewest for one in group}) == 1 else None
    return Score(
        student=reference if reference in names and reference is not None else names[0],
        benchmark=group[0].benchmark,
        interval=statistics.average(list(means.values()), n_samples, confidence),
        means=means,
        judged=judged,
        noise={q: _noise([one.noise[q] for one in group]) for q in shared},
        fewest=min(one.fewest for one in group),
        most=max(one.most for one in group),
        best_of=_best_of(group, shared, k, confidence) if k else None,
        unjudged=sum(one.unjudged for one in group),
        statuses=dict(sorted(statuses.items())),
        tokens=_mean([(one.tokens, sum(one.statuses.values())) for one in group]),
        truncated=_mean([(one.truncated, sum(one.statuses.values())) for one in group]),
        looping=_mean([(one.looping, sum(one.statuses.values())) for one in group]),
        stuck=_mean([(one.stuck, sum(one.statuses.values())) for one in group]),
        verifiers=frozenset().union(*(one.verifiers for one in group)),
        seeds={one.student: math.fsum(one.means[q] for q in shared) / len(shared) for one in group},
    )


def _best_of(
    group: Sequence[Score], shared: Sequence[str], k: int, confidence: float
) -> statistics.Interval:
    """pass@k of one training, the mean over seeds."""
    of_seeds = [chances(one, k) for one in group]
    best = [math.fsum(of[q] for of in of_seeds) / len(group) for q in shared]
    n_samples = sum(one.judged[q] for one in group for q in shared)
    return statistics.best_of(best, n_samples, k, confidence)


def _noise(of_seeds: Sequence[float | None]) -> float | None:
    """The sampling variance of a mean over seeds."""
    known = [noise for noise in of_seeds if noise is not None]
    return math.fsum(known) / len(known) ** 2 if len(known) == len(of_seeds) else None


def _mean(weighted: Sequence[tuple[float | None, int]]) -> float | None:
    known = [(value, weight) for value, weight in weighted if value is not None]
    total = sum(weight for _, weight in known)
    return math.fsum(value * weight for value, weight in known) / total if total else None


def _wider(one: Score, luck: statistics.Luck | None, confidence: float) -> Score:
    if luck is None or one.interval is None or not one.seeds:
        return one
    found = statistics.average_of_seeds(one.interval, luck, len(one.seeds), confidence)
    return replace(one, interval=found)
