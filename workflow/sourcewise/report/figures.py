"""The figures of the report, each from the numbers it shows; None where there is no data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from sourcewise.report import charts, paper
from sourcewise.report.colours import Colours
from sourcewise.report.corpus import Step
from sourcewise.report.experiments import Section
from sourcewise.report.gathered import Gathered
from sourcewise.report.scores import Comparison, Score
from sourcewise.report.verdict import leader
from sourcewise.report.wording import count, decimal, percent, points, span


class Figure(NamedTuple):
    """A drawing, what it is of, what to see in it, and the CSV file with its numbers."""

    title: str
    drawing: Markup
    see: str
    sheet: str


class Panel(NamedTuple):
    """The figures of one benchmark, side by side."""

    name: str
    note: str
    figures: list[Figure]


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
        figures = [_scores(name, measured, colours, gathered.parameters)]
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


def _scores(
    name: str, scores: list[Score], colours: Colours, parameters: Mapping[str, Any]
) -> Figure:
    rows = []
    for score in scores:
        assert score.interval is not None
        value, low, high, _ = score.interval
        note = f"{percent(value)}  ({span(low, high)})"
        mark = paper.score(parameters, score.student, score.benchmark)
        colour = colours.students[score.student]
        rows.append(charts.Dot(score.student, colour, value, low, high, note, mark=mark))
    label = f"Scores on {name}"
    drawing = charts.intervals(rows, label=label, tick=lambda v: f"{100 * v:g} %")
    see = "The share of correct samples and its interval. Of two students the pairs decide, not these."
    if any(row.mark is not None for row in rows):
        see += " The upright line is what arXiv 2505.14464 reports for the same student."
    return Figure("Score", drawing, see, "scores")


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
    see = "Right of the dashed line the leader is ahead. Filled: decided after correction; hollow: not."
    return Figure(title, drawing, see, "pairs")


def effects(section: Section, colours: Colours) -> list[Figure]:
    """Each arm of an experiment against its baseline, a figure per benchmark."""
    drawn = []
    for benchmark in dict.fromkeys(one.benchmark for one in section.effects):
        rows = []
        for one in section.effects:
            if one.benchmark == benchmark:
                low, high = one.ends
                note = f"{points(one.value)}  ({span(low, high)})"
                colour = colours.students[one.arm]
                rows.append(
                    charts.Dot(one.arm, colour, one.value, low, high, note, not one.pair.better)
                )
        label = f"Points above {section.of.baseline} on {benchmark}"
        see = f"Right of the dashed line an arm is above {section.of.baseline}. Filled: decided; hollow: not."
        drawing = charts.intervals(rows, label=label, tick=_whole_points, zero=True)
        drawn.append(Figure(benchmark, drawing, see, "experiments"))
    return drawn


def _whole_points(value: float) -> str:
    return points(value).removesuffix(".0")


def waterfalls(gathered: Gathered) -> list[Figure]:
    """Rows lost from collected queries to the corpus, and from the corpus to each dataset."""
    drawn = []
    for name, steps in [("", gathered.corpus), *gathered.waterfalls.items()]:
        title = f"dataset {name}" if name else "from sources to the corpus"
        drawing = charts.waterfall(steps, label=title)
        drawn.append(Figure(title, drawing, _costliest(steps), "rows"))
    return drawn


def _costliest(steps: Sequence[Step]) -> str:
    removed = max(steps, key=lambda step: step.removed)
    start, end = steps[0].left, steps[-1].left
    if not removed.removed:
        return "Nothing was removed."
    share = percent(removed.removed / start) if start else "–"
    return f"{count(end)} of {count(start)} are left; most went by “{removed.label}” ({share})."


def losses(gathered: Gathered, colours: Colours) -> Figure | None:
    """Training loss by step."""
    rows = [
        charts.Series(name, colours.students[name], points_)
        for name, points_ in gathered.losses.items()
        if points_
    ]
    if not rows:
        return None
    drawing = charts.lines(rows, label="Training loss", x_name="step", x_tick=count,
                           y_tick=decimal, width=760, height=340)  # fmt: skip
    see = "A step down between epochs says that examples are remembered; a lower line says easier text."
    return Figure("Loss by step", drawing, see, "loss")
