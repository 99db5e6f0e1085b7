"""The numbers behind each figure, as rows of a CSV file beside the page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sourcewise.report import experiments, forecasts, paper
from sourcewise.report.charts import histogram, thinned
from sourcewise.report.gathered import Gathered
from sourcewise.report.paper import SPANS
from sourcewise.report.teachers import Numbers
from sourcewise.report.verdict import compared
from sourcewise.statistics import Interval

Rows = Iterator[dict[str, Any]]


def sheets(gathered: Gathered) -> dict[str, str]:
    """The content of each CSV file by its name; a figure without data has one without rows."""
    lengths = {teacher.name: teacher.lengths for teacher in gathered.teachers}
    perplexities = {teacher.name: teacher.perplexities for teacher in gathered.teachers}
    made = {
        "scores": _scores(gathered),
        "pairs": _pairs(gathered),
        "experiments": _experiments(gathered),
        "teacher_pairs": _teacher_pairs(gathered),
        "acceptance": _acceptance(gathered),
        "outcomes": _outcomes(gathered),
        "lengths": _histograms(lengths),
        "length_quartiles": _quartiles(lengths),
        "spans": _spans(gathered),
        "perplexities": _histograms(perplexities),
        "perplexity_quartiles": _quartiles(perplexities),
        "difficulty": _hardness(gathered),
        "diversity": (one._asdict() for one in gathered.diversity),
        "rows": _rows(gathered),
        "loss": _losses(gathered),
        "forecast": _forecasts(gathered),
    }
    return {f"{name}.csv": written(list(rows)) for name, rows in made.items()}


def written(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV, the keys of the first one as its head; numbers with six digits."""
    if not rows:
        return ""
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows({name: _said(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _said(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def _interval(name: str, interval: Interval | None) -> dict[str, float | None]:
    if interval is None:
        return {name: None, "low": None, "high": None}
    return {name: interval.value, "low": interval.low, "high": interval.high}


def _scores(gathered: Gathered) -> Rows:
    for one in gathered.scores:
        yield {
            "benchmark": one.benchmark,
            "student": one.student,
            **_interval("score", one.interval),
            "questions": len(one.means),
            "samples": one.n_samples,
            "mean_tokens": one.tokens,
            "paper": paper.score(gathered.parameters, one.student, one.benchmark),
        }


def _pairs(gathered: Gathered) -> Rows:
    for pair in gathered.comparisons:
        yield {
            "benchmark": pair.benchmark,
            "higher": pair.first,
            "lower": pair.second,
            **compared(pair),
        }


def _experiments(gathered: Gathered) -> Rows:
    for section in experiments.sections(gathered):
        for one in section.effects:
            low, high = one.ends
            yield {
                "experiment": section.name,
                "benchmark": one.benchmark,
                "arm": one.arm,
                "baseline": section.of.baseline,
                "difference": one.value,
                "low": low,
                "high": high,
                "p": one.pair.difference.p,
                "p_holm": one.pair.corrected,
                "verdict": one.word,
                "questions": one.pair.difference.n,
            }


def _teacher_pairs(gathered: Gathered) -> Rows:
    for pair in gathered.teacher_pairs:
        yield {
            "higher": pair.first,
            "lower": pair.second,
            "difference": pair.difference.value,
            "low": pair.difference.low,
            "high": pair.difference.high,
            "only_higher": pair.only_first,
            "only_lower": pair.only_second,
            "queries": pair.difference.n,
            "p": pair.difference.p,
            "p_holm": pair.corrected,
            "verdict": pair.verdict.word,
        }


def _acceptance(gathered: Gathered) -> Rows:
    for teacher in gathered.teachers:
        for k in range(1, len(teacher.rounds) + 1):
            found = teacher.acceptance(attempts=k, confidence=gathered.report.confidence)
            row = {"teacher": teacher.name, "within_attempts": k, **_interval("accepted", found)}
            yield row | {"queries": found.n if found else 0}


def _outcomes(gathered: Gathered) -> Rows:
    for teacher in gathered.teachers:
        for attempt, of in enumerate(teacher.rounds, start=1):
            for outcome, n in sorted(of.outcomes.items()):
                yield {
                    "teacher": teacher.name,
                    "attempt": attempt,
                    "outcome": outcome,
                    "responses": n,
                }


def _by_category(
    values: Mapping[str, Mapping[str, Numbers]],
) -> Iterator[tuple[str, dict[str, Numbers]]]:
    for category in sorted({name for of in values.values() for name in of}):
        yield category, {name: of[category] for name, of in values.items() if category in of}


def _histograms(values: Mapping[str, Mapping[str, Numbers]]) -> Rows:
    """The bins as they are drawn."""
    for category, own in _by_category(values):
        edges, counts = histogram(list(own.values()))
        for teacher, bins in zip(own, counts, strict=True):
            for low, high, n in zip(edges, edges[1:], bins.tolist(), strict=False):
                yield {"category": category, "teacher": teacher, "from": float(low),
                       "to": float(high), "responses": n}  # fmt: skip


def _quartiles(values: Mapping[str, Mapping[str, Numbers]]) -> Rows:
    for category, own in _by_category(values):
        for teacher, of in own.items():
            first, median, third = np.quantile(of, [0.25, 0.5, 0.75]).tolist()
            yield {"category": category, "teacher": teacher, "responses": len(of),
                   "mean": float(of.mean()), "first_quartile": first, "median": median,
                   "third_quartile": third}  # fmt: skip


def _spans(gathered: Gathered) -> Rows:
    known = paper.teachers(gathered.parameters)
    for one in gathered.spans:
        marks = paper.RESPONSES.get(known.get(one.teacher, ""))
        for i, (low, n) in enumerate(zip((0, *SPANS), one.counts, strict=True)):
            like = marks[i] / sum(marks) if marks and one.category == paper.CATEGORY else None
            yield {"category": one.category, "teacher": one.teacher, "above": low,
                   "to": SPANS[i] if i < len(SPANS) else None, "responses": n,
                   "share": one.shares[i], "paper_share": like}  # fmt: skip


def _hardness(gathered: Gathered) -> Rows:
    for one in gathered.hardness:
        first, median, third = one.quartiles or (None, None, None)
        yield {
            "teacher": one.teacher,
            "others_failed": one.level,
            "queries": one.queries,
            **_interval("accepted_at_first", one.accepted),
            "first_quartile_tokens": first,
            "median_tokens": median,
            "third_quartile_tokens": third,
            "cut_at_limit": one.cut,
        }


def _rows(gathered: Gathered) -> Rows:
    for name, steps in {"": gathered.corpus, **gathered.waterfalls}.items():
        for step in steps:
            yield {"dataset": name, "step": step.label, "left": step.left, "removed": step.removed}


def _losses(gathered: Gathered) -> Rows:
    for student, points in gathered.losses.items():
        for step, loss in thinned(points):
            yield {"student": student, "step": step, "loss": loss}


def _forecasts(gathered: Gathered) -> Rows:
    for row in forecasts.rows(gathered):
        for one in row.outcomes:
            yield {"teacher": row.teacher, "quantity": one.name, "forecast": one.forecast.value,
                   "low": one.forecast.low, "high": one.forecast.high, "actual": one.actual}  # fmt: skip
