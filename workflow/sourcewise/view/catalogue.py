"""Which tables of a working copy are there: looked up anew for every page, since a run may be under way.

Stages read manifests, which are written when a stage is complete; here the folders are listed, so that a
half-made copy shows what it has. What a manifest is older than counts, too; what is older than a manifest that
does not name it was left by other parameters, and does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

Value = TypeVar("Value")

# Where the rejects of shards lie, below data/queries, in the order of the stages.
REJECTS = (
    "clean/*.rejects.parquet",
    "judged/*.parquet",
    "near/*.parquet",
    "corpus/*.rejects.parquet",
)


@dataclass(frozen=True)
class Teacher:
    """The rounds of a teacher: which shards each of them holds."""

    name: str
    folder: Path
    rounds: tuple[tuple[int, frozenset[str]], ...]

    def tables(self, shards: Iterable[str], kind: str) -> list[str]:
        """The tables `responses` or `verdicts` of some shards, as far as they are there."""
        wanted = list(shards)
        paths = (
            self.folder / f"round-{number}" / f"{shard}.{kind}.parquet"
            for number, held in self.rounds
            for shard in wanted
            if shard in held
        )
        return present(paths)

    def perplexities(self, shards: Iterable[str]) -> list[str]:
        """The tables of perplexities of some shards, as far as they are there."""
        return present(self.folder / "perplexity" / f"{shard}.parquet" for shard in shards)


@dataclass(frozen=True)
class Dataset:
    """The tables of a dataset, and the students that were trained on it."""

    name: str
    folder: Path
    students: tuple[str, ...]

    def table(self, name: str) -> list[str]:
        """The path of one of its tables, or none."""
        return present([self.folder / f"{name}.parquet"])


@dataclass(frozen=True)
class Benchmark:
    """The questions of a benchmark, and the students that have samples there."""

    name: str
    data: Path
    students: tuple[str, ...]

    def questions(self) -> list[str]:
        """The path of its questions, or none."""
        return present([self.data / "benchmark_queries" / self.name / "queries.parquet"])

    def table(self, student: str, kind: str) -> list[str]:
        """The path of a student's `samples` or `grades`, or none."""
        return present([self.data / "benchmarks" / student / f"{self.name}.{kind}.parquet"])


@dataclass(frozen=True)
class Catalogue:
    """What a working copy holds; `stop_score` is what an attempt must reach to be accepted."""

    queries: Path
    shards: tuple[str, ...]
    sources: tuple[str, ...]
    teachers: tuple[Teacher, ...]
    datasets: tuple[Dataset, ...]
    benchmarks: tuple[Benchmark, ...]
    stop_score: float

    def corpus(self, shards: Iterable[str]) -> list[str]:
        """The Query tables of some shards."""
        return present(self.queries / "corpus" / f"{shard}.parquet" for shard in shards)

    def collected(self, source: str | None = None) -> list[str]:
        """What was read of the sources, or of one of them."""
        names = [source] if source in self.sources else self.sources
        return present(self.queries / "collected" / f"{name}.parquet" for name in names)

    def rejects(self) -> list[str]:
        """All tables of queries that went no further, in the order of the stages."""
        read = sorted(self.queries.glob("collected/*.rejects.parquet"))
        made = (path for pattern in REJECTS for path in sorted(self.queries.glob(pattern)))
        return [str(path) for path in [*read, *_current(self.queries, made)]]

    def contamination(self) -> list[str]:
        """The evidence of decontamination."""
        found = sorted(self.queries.glob("corpus/*.contamination.parquet"))
        return [str(path) for path in _current(self.queries, found)]


def present(paths: Iterable[Path]) -> list[str]:
    """The paths that exist, as duckdb takes them."""
    return [str(path) for path in paths if path.is_file()]


def catalogue(root: Path) -> Catalogue:
    """Lists the tables of a working copy; raises ValueError where it has no data yet."""
    data = root / "data"
    if not (data / "queries").is_dir():
        raise ValueError(
            f"{data}/queries does not exist: run snakemake there, or name another copy"
        )
    parameters = _parameters(root / "params.yaml")
    names = _plain(data / "queries/corpus", ".parquet")
    corpus = (data / "queries/corpus" / f"{name}.parquet" for name in names)
    return Catalogue(
        queries=data / "queries",
        shards=tuple(path.stem for path in _current(data / "queries", corpus)),
        sources=tuple(_plain(data / "queries/collected", ".parquet")),
        teachers=tuple(_teacher(folder) for folder in _folders(data / "distill")),
        datasets=tuple(
            Dataset(folder.name, folder, tuple(_students(folder.name, data, parameters)))
            for folder in _folders(data / "datasets")
            if any(folder.glob("*.parquet"))
        ),
        benchmarks=_benchmarks(data, parameters),
        stop_score=_stop_score(parameters),
    )


def _benchmarks(data: Path, parameters: dict[str, Any]) -> tuple[Benchmark, ...]:
    """Benchmarks with questions and the students with samples there, as params.yaml has them."""
    sections = (parameters.get(name) for name in ("benchmarks", "students"))
    named, students = (list(one) if isinstance(one, dict) else None for one in sections)
    return tuple(
        Benchmark(
            name,
            data,
            tuple(
                folder.name
                for folder in _folders(data / "benchmarks")
                if (students is None or folder.name in students)
                and (folder / f"{name}.samples.parquet").is_file()
            ),
        )
        for name in sorted(folder.name for folder in _folders(data / "benchmark_queries"))
        if named is None or name in named
    )


def _current(queries: Path, paths: Iterable[Path]) -> list[Path]:
    """The tables of shards that the corpus's manifest names, or that are newer than it."""
    manifest = queries / "manifest.json"
    named = _json(manifest, "shards", list)
    return [
        path
        for path in paths
        if named is None or path.name.partition(".")[0] in named or _newer(path, manifest)
    ]


def _teacher(folder: Path) -> Teacher:
    manifest = folder / "manifest.json"
    attempts = _json(manifest, "attempts", int)
    rounds = []
    for path in folder.glob("round-*"):
        number = path.name.removeprefix("round-")
        counts = attempts is None or (number.isdecimal() and int(number) <= attempts)
        if number.isdecimal() and (counts or _newer(path, manifest)):
            held = (one.name for one in path.glob("*.responses.parquet"))
            rounds.append((int(number), frozenset(_stems(held, ".responses.parquet"))))
    return Teacher(folder.name, folder, tuple(sorted(rounds)))


def _newer(path: Path, manifest: Path) -> bool:
    return path.stat().st_mtime > manifest.stat().st_mtime


def _students(dataset: str, data: Path, parameters: dict[str, Any]) -> list[str]:
    """Who was trained on a dataset, as params.yaml says, and has been trained."""
    students = parameters.get("students")
    if not isinstance(students, dict):
        return []
    return [
        name
        for name, student in students.items()
        if isinstance(student, dict)
        and student.get("dataset") == dataset
        and (data / "students" / str(name) / "training.json").is_file()
    ]


def _stop_score(parameters: dict[str, Any]) -> float:
    distill = parameters.get("distill")
    score = distill.get("stop_score") if isinstance(distill, dict) else None
    return float(score) if isinstance(score, int | float) else 1.0


def _parameters(path: Path) -> dict[str, Any]:
    """params.yaml as it stands; nothing where it is missing or being edited: pages show the rest."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def _json(path: Path, key: str, kind: type[Value]) -> Value | None:
    """A value of a manifest; None where there is none, as in a copy that is half-made or was tampered with."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    value = content.get(key) if isinstance(content, dict) else None
    return value if isinstance(value, kind) else None


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.glob("*") if path.is_dir())


def _plain(folder: Path, suffix: str) -> list[str]:
    """The names of a folder's main tables: without a second ending."""
    return sorted(name for name in _stems(folder.glob("*"), suffix) if "." not in name)


def _stems(names: Iterable[Path | str], suffix: str) -> list[str]:
    texts = (one.name if isinstance(one, Path) else one for one in names)
    return [name.removesuffix(suffix) for name in texts if name.endswith(suffix)]
