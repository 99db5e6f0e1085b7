"""The files of each DVC stage: what the rules of its .smk file make, all wildcards expanded."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def stage_files(
    workflow: Any,
    stages: Iterable[str],
    domains: Callable[[dict[str, str]], dict[str, Iterable[str]]],
) -> dict[str, list[str]]:
    """The output files of each DVC stage: the rules of its .smk file, all wildcards expanded.

    Stage `family@key` owns the rules of `family.smk`; `key` is the value of their first wildcard.
    """
    files: dict[str, list[str]] = {stage: [] for stage in stages}
    for rule in workflow.rules:
        family = Path(rule.snakefile).stem
        keyed = any(stage.startswith(f"{family}@") for stage in files)
        if not keyed and family not in files:
            continue
        for values in _assignments(sorted(rule.wildcard_names), {}, domains):
            stage = f"{family}@{values[KEYS[family]]}" if keyed else family
            files[stage] += [str(pattern.apply_wildcards(values)) for pattern in rule.output]
    return files


# The wildcard that names the DVC stage of a family's rules.
KEYS = {
    "model": "model",
    "benchmark_queries": "benchmark",
    "distill": "teacher",
    "dataset": "dataset",
    "train": "student",
    "benchmark": "student",
}


def _assignments(
    names: list[str],
    known: dict[str, str],
    domains: Callable[[dict[str, str]], dict[str, Iterable[str]]],
) -> Iterable[dict[str, str]]:
    """All values of wildcards; a domain may depend on the wildcards bound before it."""
    if not names:
        return [known]
    # A teacher decides on its attempts, a student on its benchmarks: keys are bound first.
    first = min(names, key=lambda name: (name not in KEYS.values() or name == "benchmark", name))
    rest = [name for name in names if name != first]
    values = domains(known)[first]
    return itertools.chain.from_iterable(
        _assignments(rest, {**known, first: str(value)}, domains) for value in values
    )
