"""The few numbers that a person compares from run to run: one small file per row of `dvc metrics show`.

DVC shows a file as a row and its keys as columns. So every teacher, every dataset, and every student at
every benchmark has a file of its own, and the columns stay so few that the table fits a terminal however
many sources are compared.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from sourcewise import statistics
from sourcewise.report.gathered import Gathered

Metrics = dict[str, float | None]


def metrics(gathered: Gathered) -> dict[PurePosixPath, Metrics]:
    """The content of each file of the metrics folder, by its path in there.

    A teacher's `accepted` is the share of its queries accepted at attempt 1, a dataset's `kept` its
    examples and `tokens` their mean length; None stands for what was not measured.
    """
    files: dict[PurePosixPath, Metrics] = {}
    for teacher in gathered.teachers:
        first = teacher.acceptance(attempts=1, confidence=gathered.report.confidence)
        files[PurePosixPath(f"teachers/{teacher.name}.json")] = _interval("accepted", first)
    for size in gathered.sizes:
        files[PurePosixPath(f"datasets/{size.name}.json")] = {
            "kept": size.examples,
            "tokens": rounded(size.mean_tokens),
        }
    for score in gathered.scores:
        path = PurePosixPath(f"scores/{score.benchmark}/{score.student}.json")
        files[path] = _interval("score", score.interval)
    return files


def rounded(value: float | None) -> float | None:
    """Four decimals: more than the intervals can tell apart, few enough for a column."""
    return None if value is None else round(value, 4)


def _interval(name: str, interval: statistics.Interval | None) -> Metrics:
    if interval is None:
        return {name: None, "low": None, "high": None}
    return {name: rounded(interval.value), "low": rounded(interval.low),
            "high": rounded(interval.high)}  # fmt: skip
