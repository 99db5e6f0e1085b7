"""Figures of the teachers: acceptance, outcomes, lengths, perplexities, difficulty, diversity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from markupsafe import Markup

from sourcewise.report import bars, charts, paper
from sourcewise.report.analyses import LEVELS, NGRAM, Diversity, Hardness
from sourcewise.report.colours import Colours
from sourcewise.report.figures import Figure
from sourcewise.report.gathered import Gathered
from sourcewise.report.scores import UNJUDGED
from sourcewise.report.teachers import ACCEPTED, REJECTED, Numbers
from sourcewise.report.wording import count, decimal, listed, percent, span

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


class Key(NamedTuple):
    """An entry of a legend."""

    cls: str
    label: str


def acceptance(gathered: Gathered, colours: Colours) -> Figure | None:
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
        if not rows:
            return None
        drawing = charts.lines(
            rows, label="Share of queries accepted within so many attempts", x_name="attempts",
            x_tick=lambda v: f"{v:.0f}", y_tick=_per_cent, dots=True, whole=True, ceiling=1.0,
        )  # fmt: skip
        see = "Where a line is flat, asking again is in vain: what is left is beyond that teacher."
        return Figure("Accepted within so many attempts", drawing, see, "acceptance")
    dots = []
    for teacher in gathered.teachers:
        if interval := teacher.acceptance(attempts=1, confidence=confidence):
            value, low, high, _ = interval
            note = f"{percent(value)}  ({span(low, high)})"
            dots.append(
                charts.Dot(teacher.name, colours.teachers[teacher.name], value, low, high, note)
            )
    if not dots:
        return None
    label = "Share of queries accepted at the first attempt"
    drawing = charts.intervals(dots, label=label, tick=lambda v: f"{100 * v:g} %")
    see = "Each teacher had one attempt. Intervals are over queries."
    return Figure("Accepted at the first attempt", drawing, see, "acceptance")


def outcomes(gathered: Gathered) -> tuple[Figure | None, list[Key]]:
    """How first attempts ended, and the legend."""
    rows: dict[str, Counter[str]] = {
        teacher.name: teacher.rounds[0].outcomes
        for teacher in gathered.teachers
        if teacher.rounds and teacher.rounds[0].outcomes.total()
    }
    if not rows:
        return None, []
    present = {outcome for row in rows.values() for outcome, n in row.items() if n}
    keys = [
        Key(cls, outcome.replace("_", " "))
        for outcome, cls in OUTCOMES.items()
        if outcome in present
    ]
    drawing = charts.stacked(rows, OUTCOMES, label="Outcomes of the first attempt")
    see = "A low acceptance by wrong answers and one by cut or missing answers have different remedies."
    return Figure("How first attempts ended", drawing, see, "outcomes"), keys


def lengths(gathered: Gathered, colours: Colours) -> list[Figure]:
    """Tokens of accepted responses, teachers against each other within a category."""
    values = {teacher.name: teacher.lengths for teacher in gathered.teachers}
    known = paper.teachers(gathered.parameters)
    boxes = {name: paper.BOXES[of][1:] for name, of in known.items()}
    return _distributions(values, colours, "Tokens of accepted responses", count, "lengths", boxes)


def perplexities(gathered: Gathered, colours: Colours) -> list[Figure]:
    """Perplexities of accepted responses, teachers against each other within a category."""
    values = {teacher.name: teacher.perplexities for teacher in gathered.teachers}
    label = "Perplexity of accepted responses"
    return _distributions(values, colours, label, decimal, "perplexities", {})


def _distributions(
    values: Mapping[str, Mapping[str, Numbers]],
    colours: Colours,
    label: str,
    tick: Callable[[float], str],
    sheet: str,
    boxes: Mapping[str, tuple[float, float, float]],
) -> list[Figure]:
    drawn = []
    for category in sorted({category for of in values.values() for category in of}):
        own = boxes if category == paper.CATEGORY else {}
        rows = [
            charts.Ridge(teacher, colours.teachers[teacher], of[category], own.get(teacher))
            for teacher, of in values.items()
            if category in of
        ]
        drawing = charts.ridges(rows, label=f"{label}, {category}", tick=tick)
        see = _longest(rows, tick)
        if any(row.box for row in rows):
            see += " Lines without colour: the paper’s quartiles and median (figure 4)."
        drawn.append(Figure(category, drawing, see, sheet))
    return drawn


def _longest(rows: list[charts.Ridge], tick: Callable[[float], str]) -> str:
    means = sorted((float(sum(row.values) / len(row.values)), row.label) for row in rows)
    if len(means) == 1:
        return f"The mean is {tick(means[0][0])}."
    (low, least), (high, most) = means[0], means[-1]
    return f"Means from {tick(low)} ({least}) to {tick(high)} ({most})."


def spans(gathered: Gathered, colours: Colours) -> list[Figure]:
    """The paper's histogram of tokens; left out where every response is within its first span."""
    known = paper.teachers(gathered.parameters)
    ends = [f"to {end // 1024}k" for end in paper.SPANS] + [f"over {paper.SPANS[-1] // 1024}k"]
    drawn = []
    for category in dict.fromkeys(one.category for one in gathered.spans):
        own = [one for one in gathered.spans if one.category == category]
        if not any(sum(one.counts[1:]) for one in own):
            continue
        groups = []
        for one in own:
            marks = paper.RESPONSES.get(known.get(one.teacher, ""), ())
            like = [n / sum(marks) for n in marks] if category == paper.CATEGORY else []
            groups.append(bars.Group(one.teacher, colours.teachers[one.teacher], one.shares, like))
        label = f"Share of accepted responses by tokens, {category}"
        see = "Wide is varied: many short answers and many long ones from one teacher."
        if any(group.marks for group in groups):
            see += " Lines without colour: the paper’s figure 3."
        drawing = bars.spans(groups, ends, label=label, x_name="tokens, 1k = 1,024")
        drawn.append(Figure(category, drawing, see, "spans"))
    return drawn


def difficulty(gathered: Gathered, colours: Colours) -> list[Figure]:
    """Acceptance, length and truncation of first attempts by how the other teachers fared."""
    if not gathered.hardness:
        return []
    accepted = _levels(gathered, colours, lambda one: one.accepted.value)
    median = _levels(gathered, colours, lambda one: one.quartiles[1] if one.quartiles else None)
    cut = _levels(gathered, colours, lambda one: one.cut)
    drawn = []
    if accepted:
        drawing = _by_level(accepted, "Share accepted at the first attempt", _per_cent, 1.0)
        see = "A line that falls less is a teacher that solves what the others do not."
        drawn.append(Figure("Accepted at the first attempt", drawing, see, "difficulty"))
    if median:
        drawing = _by_level(median, "Median tokens of first attempts", count)
        see = "A rising line is adaptive: short where it is easy, long where it is hard; cut ones are apart."
        drawn.append(Figure("Median tokens of first attempts", drawing, see, "difficulty"))
    if any(value for row in cut for _, value in row.points):
        drawing = _by_level(cut, "Share of first attempts cut at the limit", _per_cent, 1.0)
        see = "These attempts would have been longer: where they are many, the median beside is too low."
        drawn.append(Figure("Cut at the limit", drawing, see, "difficulty"))
    return drawn


def _levels(
    gathered: Gathered, colours: Colours, value: Callable[[Hardness], float | None]
) -> list[charts.Series]:
    rows = []
    for teacher in gathered.teachers:
        points = [
            (float(LEVELS.index(one.level)), found)
            for one in gathered.hardness
            if one.teacher == teacher.name and (found := value(one)) is not None
        ]
        if points:
            rows.append(charts.Series(teacher.name, colours.teachers[teacher.name], points))
    return rows


def _by_level(
    rows: list[charts.Series],
    label: str,
    tick: Callable[[float], str],
    ceiling: float = float("inf"),
) -> Markup:
    return charts.lines(
        rows, label=label, x_name="attempts of the other teachers", dots=True, whole=True,
        x_tick=lambda v: LEVELS[round(v)], y_tick=tick, ceiling=ceiling,
    )  # fmt: skip


def diversity(gathered: Gathered, colours: Colours) -> list[Figure]:
    """How varied the teachers' words are, at equal numbers of words."""
    found = gathered.diversity
    if not found:
        return []
    size = f"{count(found[0].words)} words of each, to queries that {_all(found)} solved."
    distinct = [
        bars.Bar(one.teacher, colours.teachers[one.teacher], one.distinct, percent(one.distinct))
        for one in found
        if one.distinct is not None
    ]
    ratio = [
        bars.Bar(
            one.teacher, colours.teachers[one.teacher], one.compression, f"{one.compression:.2f}"
        )
        for one in found
    ]
    drawn = []
    if distinct:
        title = f"Distinct {NGRAM}-grams of words"
        see = f"More is more varied (Li et al. 2016, arXiv 1510.03055). {size}"
        drawn.append(Figure(title, bars.rows(distinct, label=title), see, "diversity"))
    title = "Compression ratio"
    see = f"Less is more varied (Shaib et al. 2024, arXiv 2403.00553). {size}"
    return [*drawn, Figure(title, bars.rows(ratio, label=title), see, "diversity")]


def _all(found: list[Diversity]) -> str:
    return listed([one.teacher for one in found]) if len(found) <= 3 else "all of them"


def _per_cent(value: float) -> str:
    return f"{100 * value:.3g} %"
