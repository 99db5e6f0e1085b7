"""Everything that the report is made of, read once and handed to the page and the summary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sourcewise.error_rates import Audit
from sourcewise.forecasting import Basis, Forecast
from sourcewise.params.datasets import Dataset
from sourcewise.params.distill import Distill
from sourcewise.params.students import Report, Student
from sourcewise.report.analyses import Diversity, Hardness, Spans
from sourcewise.report.corpus import DatasetNumbers, Evidence, Step
from sourcewise.report.published import Agreement
from sourcewise.report.scores import Comparison, Score
from sourcewise.report.subsets import Subset
from sourcewise.report.teacher_pairs import TeacherPair
from sourcewise.report.teachers import TeacherNumbers


@dataclass(frozen=True)
class Gathered:
    """The sections of params.yaml that the report explains, and the numbers behind it.

    `subsets` are scores without questions in doubt.
    `waterfalls` maps a dataset to its steps; `losses`, `gradients` and `speeds` a student to (step, value),
    `trainings` a student to the content of its training.json; `parameters` is all that stands in the
    provenance. `audit` says how often verifiers err, None where nobody counted; `forecast` what the teachers
    would take, None where nobody asked; `bases` maps a teacher to what a forecast of this run would hold for.
    `teacher_pairs`, `spans`, `hardness` and `diversity` compare the teachers' attempts.
    """

    seed: int
    report: Report
    distill: Distill
    datasets: dict[str, Dataset]
    students: dict[str, Student]
    scores: list[Score]
    comparisons: list[Comparison]
    subsets: list[Subset]
    teachers: list[TeacherNumbers]
    agreements: list[Agreement]
    audit: Audit | None
    forecast: Forecast | None
    bases: dict[str, Basis]
    teacher_pairs: list[TeacherPair]
    spans: list[Spans]
    hardness: list[Hardness]
    diversity: list[Diversity]
    corpus: list[Step]
    waterfalls: dict[str, list[Step]]
    evidence: Evidence
    sizes: list[DatasetNumbers]
    losses: dict[str, list[tuple[float, float]]]
    gradients: dict[str, list[tuple[float, float]]]
    speeds: dict[str, list[tuple[float, float]]]
    trainings: dict[str, dict[str, Any]]
    parameters: dict[str, Any]
