"""One edit per section of params.yaml, and what it makes stale: the table of docs/staleness.md.

`python tests/pipeline/edits.py FOLDER` prints the table as the two tools see it in a finished working copy
of the test preset.
"""

from __future__ import annotations

import copy
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from working_copy import Copy


@dataclass(frozen=True)
class Edit:
    """A key of params.yaml and its new value; a mapping of another entry is copied with `like`."""

    key: str
    value: Any = None
    like: str | None = None

    def apply(self, params: dict[str, Any]) -> None:
        """Makes the edit in the content of a params.yaml."""
        *path, last = self.key.split(".")
        place = params
        for part in path:
            place = place[part]
        if self.key == "sources.more":
            params["clean"]["order"].append(last)
        place[last] = {**copy.deepcopy(place[self.like]), **self.value} if self.like else self.value

    def says(self, params: dict[str, Any]) -> str:
        """The edit as the table shows it."""
        if self.like:
            return f"new `{self.key}`"
        before: Any = params
        for part in self.key.split("."):
            before = before[part]
        return f"`{self.key}` {_plain(before)} → {_plain(self.value)}"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


JUDGE = {"model": "judge", "max_answer_chars": 4000, "seconds": 60.0, "seed": 7, "task": None}

EXPERIMENT = {"question": "What is training worth?", "arms": ["base", "unverified"], "baseline": "base",
              "benchmarks": ["easy"]}  # fmt: skip

SCORER = {"model": "models/pretrained/base", "revision": "local", "max_tokens": 256}

NGRAM = {"filter": "ngram", "n": 20, "max_count": 20}

EDITS = [
    Edit("seed", 8),
    Edit("models.terse.steps", 61),
    Edit("models.base.steps", 61),
    Edit("sources.instruction.synthetic.n", 11),
    Edit("sources.more", {"synthetic": {"task": "arithmetic", "n": 9, "seed": 12}}, "arithmetic"),
    Edit("clean.max_chars", 19999),
    Edit("clean.near_duplicates", {"n": 5, "similarity": 0.8, "permutations": 128}),
    Edit("clean.judge", {**JUDGE, "least": 0.5}),
    Edit("clean.order", ["instruction", "arithmetic"]),
    Edit("decontaminate.exact", False),
    Edit("teachers.terse.sampling.temperature", 0.9),
    Edit("teachers.second", {"system": "Be brief."}, "terse"),
    Edit("distill.stop_score", 0.95),
    Edit("distill.futility", {"min_acceptance": 0.01, "confidence": 0.95}),
    Edit("distill.max_attempts", 3),
    Edit("verifiers.math.seconds", 6.0),
    Edit("perplexity.max_tokens", 255),
    Edit("perplexity", [SCORER, {**SCORER, "model": "models/pretrained/terse"}]),
    Edit("filters.ngram.max_count", 19),
    Edit("filters.ngram", {**NGRAM, "unit": "whitespace", "scope": "teacher"}),
    Edit("filters.perplexity", {"filter": "perplexity", "quantile": 0.9}),
    Edit("filters.structure.max_tokens", 255),
    Edit("filters.benchmark_text.share", 0.5),
    Edit("datasets.terse.min_score", 0.8),
    Edit("datasets.second", {"min_score": 0.5}, "terse"),
    Edit("train.learning_rate", 0.002),
    Edit("train.chat_template", "ours"),
    Edit("students.unverified.seed", 2),
    Edit("students.unverified.base", {"model": "models/pretrained/terse", "revision": "local"}),
    Edit("students.second", {"dataset": "terse"}, "unverified"),
    Edit("sampling.sampling.temperature", 0.5),
    Edit("benchmarks.easy.samples", 3),
    Edit("benchmarks.second", {"samples": 1}, "easy"),
    Edit("report.title", "Another title"),
    Edit("report.experiments", {"worth": EXPERIMENT}),
]


# The rules in the order of the pipeline.
ORDER = [
    *("pretrain", "benchmark_queries", "collect", "clean", "judge_queries", "near_duplicates"),
    *("decontaminate", "corpus_manifest"),
    *("generate", "verify", "perplexity", "distill_manifest", "select", "filter"),
    *("train", "sample", "grade", "report"),
]


@dataclass(frozen=True)
class Stale:
    """What an edit makes stale: jobs by rule, and the DVC stages whose declared parameters changed."""

    jobs: dict[str, int]
    stages: tuple[str, ...]

    def row(self, says: str) -> str:
        """A row of the table."""
        jobs = ", ".join(f"{name} {self.jobs[name]}" for name in sorted(self.jobs, key=ORDER.index))
        return f"| {says} | {jobs} | {', '.join(self.stages)} |"


def stale(made: Copy) -> Stale:
    """What the two tools say of a working copy."""
    status = json.loads(made.call("dvc status --json"))
    return Stale(made.planned(), tuple(status))


def measure(made: Copy, edit: Edit) -> Stale:
    """What the two tools say after an edit, which is taken back."""
    path = made.folder / "params.yaml"
    before = path.read_text()
    params = yaml.safe_load(before)
    edit.apply(params)
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    try:
        return stale(made)
    finally:
        path.write_text(before)


HEAD = "| edit | jobs that Snakemake reruns | stages that DVC calls |\n|---|---|---|\n"


def table(made: Copy) -> str:
    """The table of docs/staleness.md, measured."""
    params = yaml.safe_load((made.folder / "params.yaml").read_text())
    return HEAD + "\n".join(measure(made, edit).row(edit.says(params)) for edit in EDITS) + "\n"


if __name__ == "__main__":
    print(table(Copy(Path(sys.argv[1]).absolute())), end="")
