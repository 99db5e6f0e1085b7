"""The figures of the report, each from the numbers it shows; None where there is no data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from markupsafe import Markup

from sourcewise.report import charts
from sourcewise.report.colours import Colours
from sourcewise.report.gathered import Gathered
from sourcewise.report.scores import UNJUDGED, Comparison, Score
from sourcewise.report.teachers import ACCEPTED, REJECTED, Numbers
from sourcewise.report.verdict import leader
from sourcewise.report.wording import count, decimal, percent, points, span

OUTCOMES = {
    ACCEPTED: "s0",
    REJECTED: "s1",
    "no_answer": "s2",
    "no_response": "s2",
    "prompt_too_long": "s3",
    "truncated": "s3",
    "timeout": "s4",
    "crash": "s4",
    "memory": "s4",
    **dict.fromkeys(sorted(UNJUDGED), "s5"),
}


class Figure(NamedTuple):
    """A drawing and what it is of."""

    title: str
    drawing: Markup


class Panel(NamedTuple):
    """The figures of one benchmark, side by side."""

    name: str
    note: str
    figures: list[Figure]


class Key(NamedTuple):
    """An entry of a legend."""

    cls: str
    label: str


def benchmarks(gathered: Gathered, colours: Colours) -> list[Panel]:
    """Per benchmark the scores, and the leader's lead over each other student."""
    panels = []
    for name in dict.fromkeys(score.benchmark for score in gathered.scores):
        measured = [
            score for score in gathered.scores if score.benchmark == name and score.interval
        ]
        if not measured:
            panels.append(Panel(name, "no data", []))
            continue
        measured.sort(key=lambda score: -score.interval.value if score.interval else 0.0)
        figures = [_scores(name, measured, colours)]
        pairs = [pair for pair in gathered.comparisons if pair.benchmark == name]
        own = [pair for pair in pairs if leader(measured).student in (pair.first, pair.second)]
        if own:
            figures.append(_leads(leader(measured).student, own, colours))
        panels.append(Panel(name, _size(measured), figures))
    return panels


def _size(scores: list[Score]) -> str:
    n = max(len(score.means) for score in scores)
    fewest, most = min(score.fewest for score in scores), max(score.most for score in scores)
    each = str(most) if fewest == most else f"{fewest} to {most}"
    return f"{count(n)} question{'s' * (n != 1)}, {each} sample{'s' * (most != 1)} each"


def _scores(name: str, scores: list[Score], colours: Colours) -> Figure:
    rows = []
    for score in scores:
        assert score.interval is not None
        value, low, high, _ = score.interval
        note = f"{percent(value)}  ({span(low, high)})"
        rows.append(
            charts.Dot(score.student, colours.students[score.student], value, low, high, note)
        )
    label = f"Scores on {name}"
    drawing = charts.intervals(rows, label=label, tick=lambda v: f"{100 * v:g} %")
    return Figure("Score", drawing)


def _leads(student: str, pairs: list[Comparison], colours: Colours) -> Figure:
    rows = []
    for pair in pairs:
        # A tie may list the leader second: the chart always subtracts from the leader.
        sign = 1.0 if pair.first == student else -1.0
        other = pair.second if pair.first == student else pair.first
        low, high = sorted((sign * pair.difference.low, sign * pair.difference.high))
        value = sign * pair.difference.value
        note = f"{points(value)}  ({span(low, high)})"
        colour = colours.students[other]
        rows.append(charts.Dot(other, colour, value, low, high, note, not pair.better))
    rows.sort(key=lambda row: row.value)
    title = f"Lead of {student} over each other student, in points"
    drawing = charts.intervals(rows, label=title, tick=_whole_points, zero=True)
    return Figure(title, drawing)


def _whole_points(value: float) -> str:
    return points(value).removesuffix(".0")


def acceptance(gathered: Gathered, colours: Colours) -> Markup | None:
    """The share of queries with an accepted response, by attempt."""
    attempts = max((len(teacher.rounds) for teacher in gathered.teachers), default=0)
    confidence = gathered.report.confidence
    if attempts > 1:
        rows = []
        for teacher in gathered.teachers:
            shares = [
                (float(k), interval.value)
                for k in range(1, len(teacher.rounds) + 1)
                if (interval := teacher.acceptance(attempts=k, confidence=confidence))
            ]
            if shares:
                rows.append(charts.Series(teacher.name, colours.teachers[teacher.name], shares))
        label = "Share of queries accepted within so many attempts"
        return charts.lines(
            rows, label=label, x_name="attempts", x_tick=lambda v: f"{v:.0f}",
            y_tick=lambda v: f"{100 * v:.0f} %", dots=True, whole=True,
        ) if rows else None  # fmt: skip
    dots = []
    for teacher in gathered.teachers:
        if interval := teacher.acceptance(attempts=1, confidence=confidence):
            value, low, high, _ = interval
            note = f"{percent(value)}  ({span(low, high)})"
            dots.append(
                charts.Dot(teacher.name, colours.teachers[teacher.name], value, low, high, note)
            )
    label = "Share of queries accepted at the first attempt"
    return charts.intervals(dots, label=label, tick=lambda v: f"{100 * v:g} %") if dots else None


def outcomes(gathered: Gathered) -> tuple[Markup | None, list[Key]]:
    """How first attempts ended, and the legend."""
    rows: dict[str, Counter[str]] = {
        teacher.name: teacher.rounds[0].outcomes
        for teacher in gathered.teachers
        if teacher.rounds and teacher.rounds[0].outcomes.total()
    }
    if not rows:
        return None, []
    present = {outcome for row in rows.values() for outcome in row}
    keys = [
        Key(cls, outcome.replace("_", " "))
        for outcome, cls in OUTCOMES.items()
        if outcome in present
    ]
    return charts.stacked(rows, OUTCOMES, label="Outcomes of the first attempt"), keys


def lengths(gathered: Gathered, colours: Colours) -> list[Figure]:
    """Tokens of accepted responses, teachers against each other within a category."""
    values = {teacher.name: teacher.lengths for teacher in gathered.teachers}
    return _distributions(values, colours, "Tokens of accepted responses", count)


def perplexities(gathered: Gathered, colours: Colours) -> list[Figure]:
    """Perplexities of accepted responses, teachers against each other within a category."""
    values = {teacher.name: teacher.perplexities for teacher in gathered.teachers}
    return _distributions(values, colours, "Perplexity of accepted responses", decimal)


def _distributions(
    values: Mapping[str, Mapping[str, Numbers]],
    colours: Colours,
    label: str,
    tick: Callable[[float], str],
) -> list[Figure]:
    drawn = []
    for category in sorted({category for of in values.values() for category in of}):
        rows = [
            charts.Ridge(teacher, colours.teachers[teacher], of[category])
            for teacher, of in values.items()
            if category in of
        ]
        drawing = charts.ridges(rows, label=f"{label}, {category}", tick=tick)
        drawn.append(Figure(category, drawing))
    return drawn


def waterfalls(gathered: Gathered) -> list[Figure]:
    """Rows lost from collected queries to the corpus, and from the corpus to each dataset."""
    drawn = []
    for name, steps in [("", gathered.corpus), *gathered.waterfalls.items()]:
        title = f"dataset {name}" if name else "from sources to the corpus"
        drawn.append(Figure(title, charts.waterfall(steps, label=title)))
    return drawn


def losses(gathered: Gathered, colours: Colours) -> Markup | None:
    """Training loss by step."""
    rows = [
        charts.Series(name, colours.students[name], points_)
        for name, points_ in gathered.losses.items()
        if points_
    ]
    if not rows:
        return None
    return charts.lines(rows, label="Training loss", x_name="step", x_tick=count,
                        y_tick=decimal, width=760, height=340)  # fmt: skip
