"""Scores without questions in doubt: those known to be wrong, and those that training data may hold."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sourcewise.params.students import Report, Student
from sourcewise.report.scores import Comparison, Score, compare, without
from sourcewise.report.seeds import pooled
from sourcewise.tables import Contamination, Reject

# Questions by benchmark.
Doubted = Mapping[str, frozenset[str]]
# A Reject of the filter benchmark_text begins with the item it found: its benchmark and identity.
ITEM = re.compile(r"(?P<benchmark>[^/\s]+)/(?P<item>\S+) ")


@dataclass(frozen=True)
class Subset:
    """What a benchmark says without `dropped` of its questions, and why they are left out."""

    benchmark: str
    why: str
    dropped: int
    scores: list[Score]
    comparisons: list[Comparison]


def subsets(
    measured: Sequence[Score],
    students: Mapping[str, Student],
    doubted: Mapping[str, Doubted],
    *,
    report: Report,
    seed: int,
) -> list[Subset]:
    """For each reason, each benchmark that has such questions: all of it computed anew without them.

    `measured` holds students one by one; the correction is that of all benchmarks, as on the whole.
    """
    found = []
    for why, questions in doubted.items():
        cut = [
            without(one, questions.get(one.benchmark, ()), report.confidence) for one in measured
        ]
        scores = pooled(cut, students, reference=report.reference, confidence=report.confidence)
        pairs = compare(scores, confidence=report.confidence, resamples=report.resamples, seed=seed)
        for benchmark in dict.fromkeys(one.benchmark for one in measured):
            asked = {q for one in measured if one.benchmark == benchmark for q in one.means}
            if dropped := questions.get(benchmark, frozenset()) & asked:
                own = [one for one in scores if one.benchmark == benchmark]
                compared = [pair for pair in pairs if pair.benchmark == benchmark]
                found.append(Subset(benchmark, why, len(dropped), own, compared))
    return found


def suspects(evidence: Iterable[Contamination], rejects: Iterable[Reject]) -> Doubted:
    """The questions that a training query matched, or that a response recited.

    Those queries and responses were taken out; that they were there says that others, less alike, may be too.
    `rejects` are those of the filter benchmark_text.
    """
    found: defaultdict[str, set[str]] = defaultdict(set)
    for pair in evidence:
        found[pair.benchmark].add(pair.item_id)
    for reject in rejects:
        if named := ITEM.match(reject.value):
            found[named["benchmark"]].add(named["item"])
    return {benchmark: frozenset(items) for benchmark, items in found.items()}


def changed(
    subset: Subset, whole: Sequence[Comparison]
) -> list[tuple[Comparison, Comparison | None]]:
    """Pairs whose verdict is another one without these questions: as it was, and as it is then."""
    now = {frozenset((pair.first, pair.second)): pair for pair in subset.comparisons}
    found = []
    for pair in whole:
        if pair.benchmark == subset.benchmark:
            other = now.get(frozenset((pair.first, pair.second)))
            same = other is not None and (other.better, other.better and other.first) == (
                pair.better,
                pair.better and pair.first,
            )
            if not same:
                found.append((pair, other))
    return found
