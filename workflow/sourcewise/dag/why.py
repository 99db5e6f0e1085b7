"""Why jobs are stale: the parameters, files and code that changed, from what to what.

Snakemake looks no further once a job is stale, and calls whatever follows a consequence. Here every stale
job is asked for reasons of its own, so that of two edits on one branch both are named.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sourcewise.params.root import read_yaml

ABSENT = object()


@dataclass(frozen=True)
class Change:
    """One thing that changed: `kind` is param, code, file, rule, job or inputs.

    `before` and `after` are the JSON of a parameter that was there before and is there now.
    """

    kind: str
    what: str
    happened: str
    before: str | None = None
    after: str | None = None


@dataclass
class Causes:
    """The changes that made jobs stale, each with the DVC stages whose jobs it touches itself."""

    stages: dict[Change, list[str]] = field(default_factory=dict)

    def add(self, stage: str, changes: Iterable[Change]) -> None:
        """Notes that changes touch a stage."""
        for change in changes:
            touched = self.stages.setdefault(change, [])
            if stage not in touched:
                touched.append(stage)


def differences(before: Any, after: Any, key: str) -> Iterator[Change]:
    """The leaves in which two JSON values differ, by dotted key; what is new or gone is one change."""
    if before is ABSENT:
        yield Change("param", key, "added")
    elif after is ABSENT:
        yield Change("param", key, "removed")
    elif isinstance(before, dict) and isinstance(after, dict):
        for name in [*after, *(name for name in before if name not in after)]:
            inner = f"{key}.{name}" if key else name
            yield from differences(before.get(name, ABSENT), after.get(name, ABSENT), inner)
    elif before != after:
        old, new = (json.dumps(value, ensure_ascii=False) for value in (before, after))
        yield Change("param", key, "changed", old, new)


def code_changes(before: dict[str, str], after: dict[str, str]) -> Iterator[Change]:
    """The files in which two import closures differ, given the hash of each file's syntax tree."""
    for file in sorted({*before, *after}):
        if file not in after:
            yield Change("code", file, "no longer used")
        elif file not in before:
            yield Change("code", file, "newly used")
        elif before[file] != after[file]:
            yield Change("code", file, "changed")


def pair(recorded: list[str], params: dict[str, str]) -> dict[str, str]:
    """The old values of parameters whose names were not recorded, as far as only one fits.

    Snakemake keeps the values alone: those that still occur are taken out, and what is left is matched
    by kind (a digest, or a JSON value with the most keys in common).
    """
    old = [value for value in recorded if value not in params.values()]
    found: dict[str, str] = {}
    for name, value in params.items():
        if value in recorded:
            continue
        fitting = [(_likeness(value, other), other) for other in old]
        best = max(fitting, default=(0, ""))
        if best[0] > 0:
            found[name] = best[1]
            old.remove(best[1])
    return found


def _likeness(one: str, other: str) -> int:
    a, b = as_json(one), as_json(other)
    if isinstance(a, dict) and isinstance(b, dict):
        return len(a.keys() & b.keys())
    return int(is_digest(one) == is_digest(other) and isinstance(a, dict) == isinstance(b, dict))


def is_digest(value: str) -> bool:
    return len(value) == 16 and all(letter in "0123456789abcdef" for letter in value)


def as_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def structural(change: Change) -> bool:
    """Whether a change is only the shape of the DAG, which some parameter decided."""
    return change.kind in ("job", "inputs")


def explained(causes: Causes, files: dict[str, list[str]]) -> Causes:
    """The causes, with the shape of the DAG (new jobs, other inputs) told by the keys that decided it.

    Which keys of a stage changed since its data were committed stands in dvc.lock.
    """
    locked = _locked_params()
    told = Causes()
    shaped = {stage for change, s in causes.stages.items() if structural(change) for stage in s}
    if not locked and shaped == set(files):
        told.add("", [Change("job", "nothing is made yet", "")])
        return told
    for change, stages in causes.stages.items():
        for stage in stages:
            known = list(_since_commit(stage, locked)) if structural(change) and locked else []
            unknown = Change("job", "never made", "") if change.kind == "job" else change
            told.add(stage, known or [unknown])
    # An input that another cause already brings is no news.
    params = [change for change in told.stages if change.kind == "param"]
    if params:
        told.stages = {c: s for c, s in told.stages.items() if c.kind != "inputs"}
    return told


def _locked_params() -> dict[str, dict[str, Any]]:
    """The parameters of each stage at its last commit to DVC, by dotted key."""
    path = Path("dvc.lock")
    content = yaml.safe_load(path.read_text()) if path.exists() else {}
    return {
        stage: dict(entry.get("params", {}).get("params.yaml", {}))
        for stage, entry in (content or {}).get("stages", {}).items()
    }


def _since_commit(stage: str, locked: dict[str, dict[str, Any]]) -> Iterator[Change]:
    now = read_yaml(Path("params.yaml"))
    if stage not in locked:
        family, _, name = stage.partition("@")
        section = _section(family)
        if name and section in now:
            yield from differences(ABSENT, now[section].get(name), f"{section}.{name}")
        return
    for key, before in locked[stage].items():
        after: Any = now
        for part in key.split("."):
            after = after.get(part, ABSENT) if isinstance(after, dict) else ABSENT
        yield from differences(before, after, key)


def _section(family: str) -> str:
    """The section over whose keys dvc.yaml unrolls a family of stages."""
    stages = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
    return str(stages[family].get("foreach", "")).removeprefix("${").removesuffix("}")
