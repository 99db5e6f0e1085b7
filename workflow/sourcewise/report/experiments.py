"""Experiments: a question, arms that differ from a baseline in what they are to test, and what came of it.

The family of Holm's correction is the experiment: its arms against its baseline at its benchmarks. The tests
themselves are those of all pairs (`scores.compare`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sourcewise import statistics
from sourcewise.params.students import Experiment
from sourcewise.report.gathered import Gathered
from sourcewise.report.scores import Comparison, Score


class Arm(NamedTuple):
    """A student of an experiment; `differs` says in which values its recipe differs from the baseline's."""

    name: str
    differs: list[str]
    examples: int | None
    tokens: int | None


class Effect(NamedTuple):
    """An arm against the baseline at a benchmark; `sign` is -1 where the arm is the lower of the pair."""

    benchmark: str
    arm: str
    pair: Comparison
    sign: int

    @property
    def value(self) -> float:
        """The arm's score above the baseline's, on shared questions."""
        return self.sign * self.pair.difference.value

    @property
    def ends(self) -> tuple[float, float]:
        """The interval of that."""
        low, high = self.pair.difference.low, self.pair.difference.high
        return (low, high) if self.sign == 1 else (-high, -low)

    @property
    def word(self) -> str:
        """The verdict as it reads from the arm's side."""
        return "worse" if self.pair.better and self.sign == -1 else self.pair.verdict.word


@dataclass(frozen=True)
class Section:
    """What the report says of an experiment; `missing` are arms at benchmarks that could not be compared."""

    name: str
    of: Experiment
    arms: list[Arm]
    effects: list[Effect]
    missing: list[str]


def sections(gathered: Gathered) -> list[Section]:
    """A section for each experiment of params.yaml, in its order."""
    return [_section(name, one, gathered) for name, one in gathered.report.experiments.items()]


def _section(name: str, of: Experiment, gathered: Gathered) -> Section:
    others = [arm for arm in of.arms if arm != of.baseline]
    found, missing = [], []
    for benchmark in of.benchmarks:
        for arm in others:
            pair = _pair(gathered, benchmark, arm, of.baseline)
            if pair is None:
                missing.append(f"{arm} on {benchmark}")
            else:
                found.append((arm, *pair))
    alpha = 1 - gathered.report.confidence
    corrected = statistics.holm([pair.difference.p for _, pair, _ in found])
    effects = [
        Effect(pair.benchmark, arm, _decided(pair, p, alpha, len(found)), sign)
        for (arm, pair, sign), p in zip(found, corrected, strict=True)
    ]
    arms = [_arm(arm, of.baseline, gathered) for arm in (of.baseline, *others)]
    return Section(name, of, arms, effects, missing)


def _pair(
    gathered: Gathered, benchmark: str, arm: str, baseline: str
) -> tuple[Comparison, int] | None:
    """The comparison of two students, and whose score is higher; None where there is none."""
    first, second = (_shown(gathered, benchmark, name) for name in (arm, baseline))
    for pair in gathered.comparisons:
        if pair.benchmark == benchmark and {pair.first, pair.second} == {first, second}:
            return pair, 1 if pair.first == first else -1
    return None


def _shown(gathered: Gathered, benchmark: str, student: str) -> str:
    """The student that stands for this one where several training seeds are one (`seeds.pooled`)."""

    def holds(score: Score) -> bool:
        return score.benchmark == benchmark and student in score.seeds

    return next((score.student for score in gathered.scores if holds(score)), student)


def _decided(pair: Comparison, p: float, alpha: float, n: int) -> Comparison:
    of = pair.difference
    return replace(
        pair,
        corrected=p,
        verdict=statistics.verdict(of, p, alpha=alpha, tests=n),
        detectable=statistics.detectable(of.spread, of.n, alpha=alpha / n, luck=of.luck),
    )


def _arm(name: str, baseline: str, gathered: Gathered) -> Arm:
    dataset = gathered.students[name].dataset
    size = next((one for one in gathered.sizes if one.name == dataset), None)
    differs = [] if name == baseline else differences(name, baseline, gathered.parameters)
    return Arm(name, differs, size.examples if size else None, size.tokens if size else None)


def differences(student: str, baseline: str, parameters: Mapping[str, Any]) -> list[str]:
    """What the parameters say that one student has and another has not, in words."""
    own, other = (recipe(name, parameters) for name in (student, baseline))
    return list(_told(own, other))


def recipe(student: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """All values that make a student, by key; filters by their name with their limits."""
    of = parameters["students"][student]
    found = {"training seed": of["seed"], "base": of.get("base") or _base(parameters)}
    if of["dataset"] is None:
        return found | {"dataset": None}
    dataset = dict(parameters["datasets"][of["dataset"]])
    limits = parameters.get("filters", {})
    filters = {name: dict(limits.get(name, {})) for name in dataset.pop("filters")}
    lengths_of = dataset.pop("lengths_of", None)
    for one in filters.values():
        if one.get("shares") == "matched":
            one["shares"] = f"those of {lengths_of}"
    return found | {"filters": filters} | dataset


def _base(parameters: Mapping[str, Any]) -> dict[str, Any]:
    train = parameters.get("train", {})
    return {"model": train.get("base"), "revision": train.get("revision")}


def _told(own: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    if ("dataset" in own) != ("dataset" in other):
        yield "no training: the base as it is" if "dataset" in own else "trained"
    for key in own:
        if key == "dataset" or key not in other or own[key] == other[key]:
            continue
        if key == "filters":
            yield from _filters(own[key], other[key])
        else:
            yield f"{key.replace('_', ' ')} {_said(own[key])} instead of {_said(other[key])}"


def _filters(own: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    gone = {name: limits for name, limits in other.items() if name not in own}
    for name, limits in own.items():
        if name in other:
            continue
        like = next((one for one in gone if gone[one].get("filter") == limits.get("filter")), None)
        if like is None:
            yield f"{_filter(name, limits)} besides"
        else:
            yield f"{_filter(name, limits)} instead of {_filter(like, gone.pop(like))}"
    for name, limits in gone.items():
        yield f"without {_filter(name, limits)}"
    if [*own] != [*other] and own.keys() == other.keys():
        yield f"filters in the order {', '.join(own)}"


def _filter(name: str, limits: Mapping[str, Any]) -> str:
    return f"filter {name} ({_said({k: v for k, v in limits.items() if k != 'filter'})})"


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        shown = {key: said for key, said in value.items() if said not in (None, {})}
        return ", ".join(f"{key} {_said(said)}" for key, said in shown.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
