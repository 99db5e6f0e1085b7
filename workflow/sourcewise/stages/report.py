"""Stage report: one page and one summary of all that the pipeline found.

Reads, under `data`, the manifests, Query, Reject and Contamination tables of the corpus; Verdict,
Response and Perplexity tables of every teacher; Reject and Example tables of every dataset; loss.csv,
speed.csv and training.json of every student; Verdict and Response tables of every student at every
graded benchmark, and Erratum tables of these;
the files of imported teachers that carry published verdicts; an audit of the verifiers and a forecast.
Writes an HTML file, a JSON file of all its numbers, and two folders of JSON files: the metrics and the tables
of plots that DVC compares; and a folder of CSV files, the numbers behind each figure.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
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
from sourcewise.report import analyses, corpus, scores, seeds, subsets, teacher_pairs
from sourcewise.report.gathered import Gathered
from sourcewise.report.metrics import metrics as metric_files
from sourcewise.report.page import render
from sourcewise.report.plots import plots as plot_tables
from sourcewise.report.published import Agreement, Disagreement, agreement
from sourcewise.report.sheets import sheets
from sourcewise.report.summary import numbers
from sourcewise.report.teachers import (
    PERPLEXITY_COLUMNS,
    RESPONSE_COLUMNS,
    VERDICT_COLUMNS,
    TeacherNumbers,
)
from sourcewise.report.teachers import queries as shard_queries
from sourcewise.tables import (
    Contamination,
    Erratum,
    Example,
    Perplexity,
    Query,
    Reject,
    Response,
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
    figures: Path,
) -> None:
    """Writes the page `out`, the numbers `summary` and the folders `metrics`, `plots` and `figures` (CSV).

    The page and the numbers say "no data" where a table is empty.

    `data` is the root of the tables. `others` are the remaining sections of params.yaml, which stand
    among the parameters at the end of the page.
    """
    graded = [name for name, benchmark in benchmarks.items() if benchmark.graded]
    queries = manifests.corpus(data / "queries/manifest.json")
    n_tables = len(queries.shards) + len(students) * len(graded)
    progress = Progress("report", n_tables, "tables")
    distilled = [manifests.distilled(data / f"distill/{name}/manifest.json") for name in teachers]
    asked = _teachers(queries, distilled, distill.stop_score, progress)
    agreements = [
        _agreement(one, imported, queries, distill.stop_score)
        for one in distilled
        if (imported := teachers[one.teacher].imported) and imported.published is not None
    ]
    left = sum(tables.count(queries.queries(shard), Query) for shard in queries.shards)
    measured = []
    for benchmark in graded:
        for name in students:
            measured.append(_score(data, name, benchmark, report.confidence))
            progress.advance()
    progress.finish()
    recited = _recited(data, datasets, others.get("filters", {}))
    doubted = {
        "known errors": {name: _errata(data, name) for name in graded},
        "suspected contamination": subsets.suspects(_evidence(queries), recited),
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
        teacher_pairs=teacher_pairs.pairs(asked, report.confidence),
        spans=analyses.spans(asked),
        hardness=analyses.hardness(asked, report.confidence),
        diversity=analyses.diversity(_texts(queries, distilled, asked)),
        corpus=_collected(data / "queries", queries, left),
        waterfalls={size.name: _selected(data, datasets[size.name], left, size) for size in sizes},
        evidence=corpus.evidence(_evidence(queries)),
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
    _fill(figures, sheets(gathered))
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


def _evidence(queries: Corpus) -> Iterator[Contamination]:
    for shard in queries.shards:
        path = queries.folder / f"corpus/{shard}.contamination.parquet"
        yield from tables.read(path, Contamination)


def _rejects(*paths: Path) -> Iterator[pa.Table]:
    for path in paths:
        yield _columns(path, Reject, corpus.REJECT_COLUMNS)


def _columns(path: Path, row: type, columns: Sequence[str]) -> pa.Table:
    """Some columns of a whole table."""
    return tables.load(path, row, columns=columns)


def _collected(folder: Path, queries: Corpus, left: int) -> list[corpus.Step]:
    """What happened to the rows of all sources on their way into the corpus."""
    sources = _json(folder / "manifest.json")["sources"]
    n = sum(tables.count(folder / f"collected/{name}.parquet", Query) for name in sources)
    unread = [folder / f"collected/{name}.rejects.parquet" for name in sources]
    n += sum(tables.count(path, Reject) for path in unread)
    later = (
        folder / f"{step}/{s}.rejects.parquet"
        for step in ("clean", "corpus")
        for s in queries.shards
    )
    order = ("collect", "clean", "judge_queries", "near_duplicates", "decontaminate")
    reasons = corpus.reasons(_rejects(*unread, *later))
    return corpus.waterfall("rows of all sources", n, reasons, "corpus", left, order=order)


def _size(data: Path, name: str) -> corpus.DatasetNumbers:
    found = corpus.DatasetNumbers(name)
    path = data / f"datasets/{name}/examples.parquet"
    for part in tables.batches(path, Example, columns=corpus.EXAMPLE_COLUMNS):
        found.add(part)
    return found


def _selected(
    data: Path, recipe: Dataset, queries: int, size: corpus.DatasetNumbers
) -> list[corpus.Step]:
    """What happened to the queries of the corpus, once per teacher, on their way into a dataset."""
    folder = data / "datasets" / size.name
    reasons = corpus.reasons(
        _rejects(folder / "select-rejects.parquet", folder / "rejects.parquet")
    )
    order = ("select", *recipe.filters)
    candidates = queries * len(recipe.teachers)
    return corpus.waterfall("corpus", candidates, reasons, "examples", size.examples, order=order)


def _verdicts(distilled: Distilled, attempt: int) -> Iterator[Verdict]:
    for shard in distilled.shards:
        yield from tables.read(distilled.verdicts(attempt, shard), Verdict)


def _responses(distilled: Distilled, attempt: int) -> Iterator[Response]:
    for shard in distilled.shards:
        yield from tables.read(distilled.responses(attempt, shard), Response)


def _teachers(
    corpus: Corpus, distilled: Sequence[Distilled], stop_score: float, progress: Progress
) -> list[TeacherNumbers]:
    """What each teacher made of the corpus, shard by shard, so that a shard's queries are read once."""
    found = [TeacherNumbers(one.teacher, stop_score) for one in distilled]
    for shard in corpus.shards:
        queries = shard_queries(_columns(corpus.queries(shard), Query, ("query_id", "category")))
        for teacher, one in zip(found, distilled, strict=True):
            rounds = [
                (
                    _columns(one.verdicts(attempt, shard), Verdict, VERDICT_COLUMNS),
                    _columns(one.responses(attempt, shard), Response, RESPONSE_COLUMNS),
                )
                for attempt in range(1, one.attempts + 1)
            ]
            scored = _columns(one.perplexity(shard), Perplexity, PERPLEXITY_COLUMNS)
            teacher.add(queries, rounds, scored)
        progress.advance()
    return found


def _texts(
    corpus: Corpus, distilled: Sequence[Distilled], asked: Sequence[TeacherNumbers]
) -> dict[str, list[str]]:
    """Accepted responses of every teacher to some queries that all of them solved, in one order."""
    found: dict[str, list[str]] = {one.teacher: [] for one in distilled}
    for number, places in analyses.shared(asked, len(corpus.shards)):
        shard = corpus.shards[number]
        ids = _columns(corpus.queries(shard), Query, ("query_id",)).column("query_id")
        wanted = [ids[place].as_py() for place in places]
        for one, of in zip(distilled, asked, strict=True):
            attempts = of.shards[number].accepted_at[places].tolist()
            found[one.teacher] += _accepted(one, shard, dict(zip(wanted, attempts, strict=True)))
    return found


def _accepted(distilled: Distilled, shard: str, attempts: Mapping[str, int]) -> list[str]:
    """The texts of some attempts by query, in their order; only the row groups that hold them are read."""
    # No identity comes between one and itself with another digit.
    ids = (min(attempts), max(attempts) + "0")
    texts = {}
    for attempt in sorted(set(attempts.values())):
        path = distilled.responses(attempt, shard)
        for part in tables.batches(path, Response, ids=ids, columns=("query_id", "text")):
            for query_id, text in zip(*(part.column(i).to_pylist() for i in range(2)), strict=True):
                if attempts.get(query_id) == attempt:
                    texts[query_id] = text
    return [texts[query_id] for query_id in attempts]


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
    listed = {
        (v.query_id, v.attempt): (theirs, v) for theirs, v in found.differing[: corpus.LISTED]
    }
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
