"""Students of several training seeds: their scores as one, with the luck of training in its interval."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sourcewise import statistics
from sourcewise.params.students import Student
from sourcewise.report.scores import Score, luck_of_training


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
    n_samples = sum(one.n_samples for one in group)
    best_of = [one.best_of for one in group if one.best_of is not None]
    return Score(
        student=reference if reference in names and reference is not None else names[0],
        benchmark=group[0].benchmark,
        interval=statistics.average(list(means.values()), n_samples, confidence),
        means=means,
        n_samples=n_samples,
        fewest=min(one.fewest for one in group),
        most=max(one.most for one in group),
        # pass@k of different k has no mean.
        best_of=math.fsum(best_of) / len(group) if len({o.fewest for o in group}) == 1 else None,
        unjudged=sum(one.unjudged for one in group),
        statuses=dict(sorted(statuses.items())),
        tokens=_mean([(one.tokens, sum(one.statuses.values())) for one in group]),
        truncated=_mean([(one.truncated, sum(one.statuses.values())) for one in group]),
        seeds={one.student: math.fsum(one.means[q] for q in shared) / len(shared) for one in group},
    )


def _mean(weighted: Sequence[tuple[float | None, int]]) -> float | None:
    known = [(value, weight) for value, weight in weighted if value is not None]
    total = sum(weight for _, weight in known)
    return math.fsum(value * weight for value, weight in known) / total if total else None


def _wider(one: Score, luck: statistics.Luck | None, confidence: float) -> Score:
    if luck is None or one.interval is None or not one.seeds:
        return one
    found = statistics.average_of_seeds(one.interval, luck, len(one.seeds), confidence)
    return replace(one, interval=found)
