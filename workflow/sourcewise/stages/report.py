"""Stage report: one page and one summary of all that the pipeline found.

Reads, under `data`, the manifests, Query, Reject and Contamination tables of the corpus, Verdict,
Response and Perplexity tables of every teacher, Reject and Example tables of every dataset, loss.csv and
training.json of every student, Verdict and Response tables of every student at every graded benchmark,
and the files of imported teachers that carry published verdicts. Writes an HTML file and a JSON file.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sourcewise import columns, reading, tables
from sourcewise.params.datasets import Dataset
from sourcewise.params.distill import Distill, Import, Teacher
from sourcewise.params.queries import Benchmark, Columns
from sourcewise.params.students import Report, Student
from sourcewise.progress import Progress
from sourcewise.report import corpus, page, published, scores, summary, teachers
from sourcewise.report.gathered import Gathered
from sourcewise.tables import (
    Contamination,
    Example,
    Perplexity,
    Query,
    Reject,
    Response,
    Verdict,
)
from sourcewise.text import query_id, query_text


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
) -> None:
    """Writes the page `out` and the numbers `summary`; both say "no data" where a table is empty.

    `others` are the remaining sections of params.yaml, shown under the parameters. `data` is the root
    of the tables.
    """
    gathered = _Reader(data).gather(
        seed=seed,
        report=report,
        distill=distill,
        teachers=teachers,
        datasets=datasets,
        students=students,
        benchmarks=benchmarks,
        others=others,
    )
    _write(out, page.render(gathered))
    _write(summary, _numbers(gathered))


def _numbers(gathered: Gathered) -> str:
    return json.dumps(summary.summary(gathered), indent=1, ensure_ascii=False) + "\n"
