"""The tables behind `dvc plots`: rows of plain values, drawn by the templates in `.dvc/plots`.

`intervals` draws a row as a dot between `low` and `high`, one panel per value of `panel`; `curves` draws
a line per student.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sourcewise.report.charts import thinned
from sourcewise.report.gathered import Gathered
from sourcewise.report.metrics import rounded

Rows = list[dict[str, Any]]


def plots(gathered: Gathered) -> dict[str, Rows]:
    """The rows of each table, by the name of its plot in dvc.yaml."""
    return {
        "scores": list(_scores(gathered)),
        "acceptance": list(_acceptance(gathered)),
        "lengths": list(_lengths(gathered)),
        "loss": list(_curves(gathered.losses, "loss")),
        "gradient": list(_curves(gathered.gradients, "grad_norm")),
        "speed": list(_curves(gathered.speeds, "tokens_per_second")),
    }


def _scores(gathered: Gathered) -> Iterator[dict[str, Any]]:
    for score in gathered.scores:
        if score.interval is not None:
            value, low, high, questions = score.interval
            yield {
                "panel": score.benchmark,
                "student": score.student,
                "score": rounded(value),
                "low": rounded(low),
                "high": rounded(high),
                "questions": questions,
            }


def _acceptance(gathered: Gathered) -> Iterator[dict[str, Any]]:
    """The share of judged queries accepted within 1, 2, … attempts."""
    for teacher in gathered.teachers:
        for attempts in range(1, len(teacher.rounds) + 1):
            found = teacher.acceptance(attempts=attempts, confidence=gathered.report.confidence)
            if found is not None:
                yield {
                    "panel": f"within {attempts} attempt{'s' * (attempts > 1)}",
                    "teacher": teacher.name,
                    "accepted": rounded(found.value),
                    "low": rounded(found.low),
                    "high": rounded(found.high),
                    "queries": found.n,
                }


def _lengths(gathered: Gathered) -> Iterator[dict[str, Any]]:
    """The median length of accepted responses; `low` to `high` spans the middle half of them."""
    for teacher in gathered.teachers:
        for category, lengths in sorted(teacher.lengths.items()):
            low, median, high = np.quantile(lengths, [0.25, 0.5, 0.75]).tolist()
            yield {
                "panel": category,
                "teacher": teacher.name,
                "tokens": median,
                "low": low,
                "high": high,
                "responses": len(lengths),
            }


def _curves(curves: dict[str, list[tuple[float, float]]], name: str) -> Iterator[dict[str, Any]]:
    for student, points in curves.items():
        for step, value in thinned(points):
            yield {"student": student, "step": step, name: rounded(value)}
