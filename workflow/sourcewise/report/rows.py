"""Rows of the report's tables that need more than a column of the numbers gathered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sourcewise import statistics
from sourcewise.report import wording
from sourcewise.report.gathered import Gathered
from sourcewise.report.published import Agreement
from sourcewise.report.scores import Score
from sourcewise.report.teachers import TeacherNumbers


class TeacherRow(NamedTuple):
    """A teacher with its shares of accepted queries at the first and after the last attempt."""

    name: str
    numbers: TeacherNumbers
    first: statistics.Interval | None
    last: statistics.Interval | None


class AgreementRow(NamedTuple):
    """A teacher's agreement with published verdicts, and its share."""

    of: Agreement
    share: statistics.Interval | None


def caveats(gathered: Gathered) -> list[str]:
    """What a reader must know before taking the answer for more than it is."""
    found = [*_luck(gathered.scores), *unequal(gathered.scores)]
    used = {student.dataset for student in gathered.students.values()}
    sizes = [size.examples for size in gathered.sizes if size.name in used]
    if len(set(sizes)) > 1:
        found.append(
            f"Their datasets hold {min(sizes):,} to {max(sizes):,} examples: the sources are "
            "compared as they come, not at equal size."
        )
    return found


def _luck(scores: Sequence[Score]) -> list[str]:
    several = {one.student: list(one.seeds) for one in scores if len(one.seeds) > 1}
    if not several:
        return ["Each student was trained once, so the luck of training is in no interval."]
    said = [f"{name} stands for {wording.listed(seeds)}" for name, seeds in several.items()]
    return [
        f"{'; '.join(said)}, which differ in the seed of their training. How far their scores lie "
        "apart widens the intervals of all trained students."
    ]


def unequal(scores: Sequence[Score]) -> list[str]:
    """Benchmarks at which students were not asked alike, so that their scores are not of the same thing."""
    found = []
    for benchmark, ranked in ranking(scores).items():
        measured = [one for one in ranked if one.means]
        fewest = min((one.fewest for one in measured), default=0)
        most = max((one.most for one in measured), default=0)
        if len({frozenset(one.means) for one in measured}) > 1:
            sizes = wording.listed([f"{one.student} {len(one.means):,}" for one in measured])
            found.append(
                f"On {benchmark} the students have judged answers to different questions ({sizes}): "
                "only differences over shared questions compare them."
            )
        elif fewest != most:
            found.append(
                f"On {benchmark} a question has {fewest:,} to {most:,} judged samples; every question "
                "weighs the same."
            )
    return found


def leaders(gathered: Gathered) -> dict[str, set[str]]:
    """By benchmark, the student that is better than every other one there."""
    found = {}
    for benchmark in {score.benchmark for score in gathered.scores}:
        pairs = [pair for pair in gathered.comparisons if pair.benchmark == benchmark]
        names = {name for pair in pairs for name in (pair.first, pair.second)}
        wins = {n: sum(p.better and p.first == n for p in pairs) for n in names}
        found[benchmark] = {name for name, n in wins.items() if n == len(names) - 1}
    return found


def ranking(scores: Sequence[Score]) -> dict[str, list[Score]]:
    """By benchmark, the scores from the highest to the lowest."""
    ranked: dict[str, list[Score]] = {}
    for score in sorted(scores, key=lambda s: -s.interval.value if s.interval else 1.0):
        ranked.setdefault(score.benchmark, []).append(score)
    return {name: ranked[name] for name in dict.fromkeys(score.benchmark for score in scores)}


def gains(gathered: Gathered) -> dict[tuple[str, str], str]:
    """By benchmark and student, the difference from the reference student."""
    reference, found = gathered.report.reference, {}
    for pair in gathered.comparisons:
        if reference in (pair.first, pair.second):
            other = pair.second if pair.first == reference else pair.first
            sign = -1 if pair.first == reference else 1
            found[pair.benchmark, other] = wording.points(sign * pair.difference.value)
    return found


def teacher_row(teacher: TeacherNumbers, gathered: Gathered) -> TeacherRow:
    confidence = gathered.report.confidence
    first = teacher.acceptance(attempts=1, confidence=confidence)
    last = teacher.acceptance(attempts=max(1, len(teacher.rounds)), confidence=confidence)
    return TeacherRow(teacher.name, teacher, first, last)


def by_category(gathered: Gathered) -> list[tuple[str, str, statistics.Interval]]:
    rows = []
    categories = {c for teacher in gathered.teachers for c in teacher.categories}
    for category in sorted(categories) if len(categories) > 1 else []:
        for teacher in gathered.teachers:
            share = teacher.acceptance(
                attempts=1, confidence=gathered.report.confidence, category=category
            )
            if share is not None:
                rows.append((category, teacher.name, share))
    return rows


def thresholds(parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The limits that decided which rows stayed, as the methods name them."""
    found = []
    if layers := parameters.get("decontaminate"):
        said = [
            layer.replace("_", " ") + (f" ({_said(limits)})" if isinstance(limits, Mapping) else "")
            for layer, limits in layers.items()
            if limits
        ]
        found.append(("Decontamination", f"{'; '.join(said) or 'none'}."))
    if filters := parameters.get("filters"):
        said = [f"{name} ({_said(limits)})" for name, limits in filters.items()]
        found.append(("Filters", f"{'; '.join(said)}."))
    return found


def _said(limits: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key.replace('_', ' ')} {value}"
        for key, value in limits.items()
        if key != "filter" and value not in (None, {})
    )
