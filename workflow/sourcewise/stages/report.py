"""Stage report: one page and one summary of all that the pipeline found.

Reads, under `data`, the manifests, Query, Reject and Contamination tables of the corpus; Verdict,
Response and Perplexity tables of every teacher; Reject and Example tables of every dataset; loss.csv,
speed.csv and training.json of every student; Verdict and Response tables of every student at every
graded benchmark, and Erratum tables of these;
the files of imported teachers that carry published verdicts; an audit of the verifiers and a forecast.
Writes an HTML file, a JSON file of all its numbers, and two folders of JSON files: the metrics and the tables
of plots that DVC compares.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sourcewise import tables
from sourcewise.corpus.released import released
from sourcewise.error_rates import Audit
from sourcewise.forecasting import Basis, Forecast, basis
from sourcewise.params.datasets import Dataset
from sourcewise.params.distill import Distill, Import, Teacher
from sourcewise.params.queries import Benchmark
from sourcewise.params.students import Report, Student
from sourcewise.progress import Progress
from sourcewise.recipes import manifests
from sourcewise.recipes.manifests import Corpus, Distilled
from sourcewise.report import corpus, scores, seeds, subsets
from sourcewise.report.gathered import Gathered
from sourcewise.report.metrics import metrics as metric_files
from sourcewise.report.page import LISTED, render
from sourcewise.report.plots import plots as plot_tables
from sourcewise.report.published import Agreement, Disagreement, agreement
from sourcewise.report.summary import numbers
from sourcewise.report.teachers import TeacherNumbers
from sourcewise.tables import (
    Contamination,
    Erratum,
    Example,
    Perplexity,
    Query,
    Reject,
    Response,
    Row,
    Verdict,
)
from sourcewise.text import query_text


def run(
    *,
    seed: int,
    report: Report,
    distill: Distill,
    teachers: dict[str, Teacher],
    datasets: dict[str, Dataset],
    students: dict[str, Student],
    benchmarks: dict[str, Benchmark],
    others: dict[str, Any],
    data: Path,
    out: Path,
    summary: Path,
    metrics: Path,
    plots: Path,
) -> None:
    """Writes the page `out`, the numbers `summary` and the folders `metrics` and `plots`.

    The page and the numbers say "no data" where a table is empty.

    `data` is the root of the tables. `others` are the remaining sections of params.yaml, which stand
    among the parameters at the end of the page.
    """
    graded = [name for name, benchmark in benchmarks.items() if benchmark.graded]
    progress = Progress("report", len(teachers) + len(students) * len(graded), "tables")
    queries = manifests.corpus(data / "queries/manifest.json")
    categories = {query.query_id: query.category for query in _corpus(queries)}
    asked, agreements = [], []
    for name, teacher in teachers.items():
        distilled = manifests.distilled(data / f"distill/{name}/manifest.json")
        asked.append(_teacher(distilled, categories, distill.stop_score))
        if teacher.imported is not None and teacher.imported.published is not None:
            agreements.append(_agreement(distilled, teacher.imported, queries, distill.stop_score))
        progress.advance()
    measured = []
    for benchmark in graded:
        for name in students:
            measured.append(_score(data, name, benchmark, report.confidence))
            progress.advance()
    progress.finish()
    evidence = list(_shards(queries, "corpus", "contamination", Contamination))
    recited = _recited(data, datasets, others.get("filters", {}))
    doubted = {
        "known errors": {name: _errata(data, name) for name in graded},
        "suspected contamination": subsets.suspects(evidence, recited),
    }
    apart = subsets.subsets(measured, students, doubted, report=report, seed=seed)
    measured = seeds.pooled(
        measured, students, reference=report.reference, confidence=report.confidence
    )
    sizes = [_size(data, name) for name in datasets]
    explained = {"report": report, "distill": distill, "teachers": teachers, "datasets": datasets}
    explained |= {"students": students, "benchmarks": benchmarks}
    gathered = Gathered(
        seed=seed,
        report=report,
        distill=distill,
        datasets=datasets,
        students=students,
        scores=measured,
        comparisons=scores.compare(
            measured, confidence=report.confidence, resamples=report.resamples, seed=seed
        ),
        subsets=apart,
        teachers=asked,
        agreements=agreements,
        audit=_made_by(Audit, report.audit, "audit"),
        forecast=_made_by(Forecast, report.forecast, "forecast"),
        bases=_bases(teachers, distill, data / "queries/manifest.json"),
        corpus=_collected(data / "queries", queries, len(categories)),
        waterfalls={
            size.name: _selected(data, datasets[size.name], len(categories), size) for size in sizes
        },
        evidence=evidence,
        sizes=sizes,
        losses={name: _curve(data / f"students/{name}/loss.csv", "loss") for name in students},
        gradients={
            name: _curve(data / f"students/{name}/loss.csv", "grad_norm") for name in students
        },
        speeds={
            name: _curve(data / f"students/{name}/speed.csv", "tokens_per_second")
            for name in students
        },
        trainings={name: _json(data / f"students/{name}/training.json") for name in students},
        parameters={"seed": seed} | {k: _plain(v) for k, v in explained.items()} | others,
    )
    _write(out, render(gathered))
    _write(summary, _object(numbers(gathered)))
    _fill(metrics, {str(path): _object(found) for path, found in metric_files(gathered).items()})
    _fill(plots, {f"{name}.json": _rows(rows) for name, rows in plot_tables(gathered).items()})


def _plain(section: Any) -> Any:
    if isinstance(section, dict):
        return {name: _plain(part) for name, part in section.items()}
    return (
        section.model_dump(mode="json", by_alias=True)
        if hasattr(section, "model_dump")
        else section
    )


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: run the stage that makes it, then report")
    return json.loads(path.read_text(encoding="utf-8"))


def _corpus(queries: Corpus) -> Iterator[Query]:
    for shard in queries.shards:
        yield from tables.read(queries.queries(shard), Query)


def _shards(queries: Corpus, step: str, kind: str, row: type[Row]) -> Iterator[Row]:
    for shard in queries.shards:
        yield from tables.read(queries.folder / f"{step}/{shard}.{kind}.parquet", row)


def _collected(folder: Path, queries: Corpus, left: int) -> list[corpus.Step]:
    """What happened to the rows of all sources on their way into the corpus."""
    n = 0
    rejects: list[Reject] = []
    for name in _json(folder / "manifest.json")["sources"]:
        n += tables.count(folder / f"collected/{name}.parquet", Query)
        rejects += tables.read(folder / f"collected/{name}.rejects.parquet", Reject)
    n += len(rejects)
    rejects += _shards(queries, "clean", "rejects", Reject)
    rejects += _shards(queries, "corpus", "rejects", Reject)
    order = ("collect", "clean", "judge_queries", "near_duplicates", "decontaminate")
    return corpus.waterfall("rows of all sources", n, rejects, "corpus", left, order=order)


def _size(data: Path, name: str) -> corpus.DatasetNumbers:
    return corpus.dataset(name, tables.read(data / f"datasets/{name}/examples.parquet", Example))


def _selected(
    data: Path, recipe: Dataset, queries: int, size: corpus.DatasetNumbers
) -> list[corpus.Step]:
    """What happened to the queries of the corpus, once per teacher, on their way into a dataset."""
    folder = data / "datasets" / size.name
    rejects = chain(
        tables.read(folder / "select-rejects.parquet", Reject),
        tables.read(folder / "rejects.parquet", Reject),
    )
    order = ("select", *recipe.filters)
    candidates = queries * len(recipe.teachers)
    return corpus.waterfall("corpus", candidates, rejects, "examples", size.examples, order=order)


def _verdicts(distilled: Distilled, attempt: int) -> Iterator[Verdict]:
    for shard in distilled.shards:
        yield from tables.read(distilled.verdicts(attempt, shard), Verdict)


def _responses(distilled: Distilled, attempt: int) -> Iterator[Response]:
    for shard in distilled.shards:
        yield from tables.read(distilled.responses(attempt, shard), Response)


def _teacher(
    distilled: Distilled, categories: Mapping[str, str], stop_score: float
) -> TeacherNumbers:
    teacher = TeacherNumbers(distilled.teacher)
    for attempt in range(1, distilled.attempts + 1):
        teacher.add_round(
            _verdicts(distilled, attempt),
            _responses(distilled, attempt),
            categories=categories,
            stop_score=stop_score,
        )
    for shard in distilled.shards:
        rows = tables.read(distilled.perplexity(shard), Perplexity)
        teacher.add_perplexities(rows, categories)
    return teacher


def _agreement(
    distilled: Distilled, imported: Import, queries: Corpus, stop_score: float
) -> Agreement:
    """Compares a teacher's published verdicts with ours, and fetches the texts where they differ."""
    rounds = range(1, distilled.attempts + 1)
    verdicts = chain.from_iterable(_verdicts(distilled, attempt) for attempt in rounds)
    theirs_by_key = {
        (row.query_id, row.attempt): row.published
        for row in released(imported)
        if row.published is not None
    }
    found = agreement(distilled.teacher, theirs_by_key, verdicts, stop_score=stop_score)
    listed = {(v.query_id, v.attempt): (theirs, v) for theirs, v in found.differing[:LISTED]}
    responses = {
        (response.query_id, attempt): response.text
        for attempt in rounds
        for response in _responses(distilled, attempt)
        if (response.query_id, attempt) in listed
    }
    wanted = {identity for identity, _ in listed}
    texts = {query.query_id: query for query in _corpus(queries) if query.query_id in wanted}
    for key, (theirs, verdict) in listed.items():
        query = texts[key[0]]
        found.disagreements.append(
            Disagreement(
                theirs, verdict, query_text(query.messages), query.reference, responses[key]
            )
        )
    return found


Made = TypeVar("Made", bound=BaseModel)


def _made_by(kind: type[Made], file: str | None, command: str) -> Made | None:
    """The file of a command that people call, None where the parameters name none."""
    if file is None:
        return None
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist: make it (sourcewise {command} --out {path})"
        )
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path} is no file of `sourcewise {command} --out`: {error}") from None


def _bases(teachers: dict[str, Teacher], distill: Distill, manifest: Path) -> dict[str, Basis]:
    text = manifest.read_text(encoding="utf-8")
    return {name: basis(teacher, distill, text) for name, teacher in teachers.items()}


def _curve(path: Path, column: str) -> list[tuple[float, float]]:
    """Step and value of a column."""
    with path.open(newline="", encoding="utf-8") as file:
        return [(float(row["step"]), float(row[column])) for row in csv.DictReader(file)]


def _score(data: Path, student: str, benchmark: str, confidence: float) -> scores.Score:
    folder = data / "benchmarks" / student
    return scores.score(
        student,
        benchmark,
        grades=tables.read(folder / f"{benchmark}.grades.parquet", Verdict),
        samples=tables.read(folder / f"{benchmark}.samples.parquet", Response),
        confidence=confidence,
    )


def _errata(data: Path, benchmark: str) -> frozenset[str]:
    path = data / f"benchmark_queries/{benchmark}/errata.parquet"
    return frozenset(erratum.query_id for erratum in tables.read(path, Erratum))


def _recited(
    data: Path, datasets: Mapping[str, Dataset], filters: Mapping[str, Any]
) -> Iterator[Reject]:
    """The responses that a filter found to recite a benchmark, of all datasets."""
    looking = {name for name, spec in filters.items() if spec.get("filter") == "benchmark_text"}
    for name, recipe in datasets.items():
        if looking & set(recipe.filters):
            for reject in tables.read(data / f"datasets/{name}/rejects.parquet", Reject):
                if reject.by in looking:
                    yield reject


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _object(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """A JSON list, a row a line: a change of one number is a change of one line."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    return "[" + ",".join(f"\n{line}" for line in lines) + "\n]\n"


def _fill(folder: Path, files: Mapping[str, str]) -> None:
    """Makes these the only files of a folder: what a removed source left there would be shown too."""
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for name, text in files.items():
        _write(folder / name, text)
