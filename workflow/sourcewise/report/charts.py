"""The forms of chart that the report uses; each returns one SVG, coloured by class `c0`, `c1`, …"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from sourcewise.report import svg
from sourcewise.report.corpus import Step
from sourcewise.report.wording import count

ROW = 30
BINS = 48
MOST_POINTS = 300


class Dot(NamedTuple):
    """A row of an interval chart; `hollow` shows what the data do not decide, `mark` a published value."""

    label: str
    colour: str
    value: float
    low: float
    high: float
    note: str
    hollow: bool = False
    mark: float | None = None


class Ridge(NamedTuple):
    """A row of a distribution chart; `box` holds published quartiles."""

    label: str
    colour: str
    values: Sequence[float] | npt.NDArray[Any]
    box: tuple[float, float, float] | None = None


class Series(NamedTuple):
    """A line of a line chart."""

    label: str
    colour: str
    points: Sequence[tuple[float, float]]


def intervals(
    rows: Sequence[Dot],
    *,
    label: str,
    tick: Callable[[float], str],
    zero: bool = False,
    width: float = 560,
) -> Markup:
    """Dots with their intervals, one row each, the numbers at the right."""
    left = 18 + max(svg.text_width(row.label) for row in rows)
    right = width - 16 - max(svg.text_width(row.note) for row in rows)
    bottom = 10 + ROW * len(rows)
    ends = [end for row in rows for end in (row.low, row.high)] + [0.0] * zero
    ends += [row.mark for row in rows if row.mark is not None]
    low, high = min(ends), max(ends)
    margin = 0.05 * (high - low) or 0.05
    scale = svg.Scale(low - margin, high + margin, left, right)
    if not zero:
        scale = svg.Scale(max(0.0, low - margin), min(1.0, high + margin), left, right)
    parts = [svg.x_axis(scale, 6, bottom, [(t, tick(t)) for t in scale.ticks(5)])]
    if zero:
        parts.append(svg.line(scale(0), 4, scale(0), bottom, "zero"))
    for i, row in enumerate(rows):
        y = 6 + ROW * (i + 0.5)
        mark = svg.line(scale(row.low), y, scale(row.high), y, f"whisker {row.colour}")
        dot = svg.element("circle", cx=scale(row.value), cy=y, r=5.5,
                          cls=f"dot {row.colour}{' hollow' if row.hollow else ''}")  # fmt: skip
        parts.append(svg.text(left - 14, y + 4, row.label, "name", "end"))
        if row.mark is not None:
            dot += svg.line(scale(row.mark), y - 10, scale(row.mark), y + 10, "mark")
        parts.append(svg.tooltip(mark + dot, f"{row.label}: {row.note}"))
        parts.append(svg.text(width - 4, y + 4, row.note, "note", "end"))
    return svg.chart(width, bottom + 24, label, parts)


def stacked(
    rows: Mapping[str, Mapping[str, int]],
    order: Mapping[str, str],
    *,
    label: str,
    width: float = 560,
) -> Markup:
    """Bars of shares; `order` maps each part to its class and gives the sequence."""
    left = 18 + max(svg.text_width(name) for name in rows)
    parts = []
    for i, (name, counts) in enumerate(rows.items()):
        y, total = 4 + ROW * i, sum(counts.values())
        scale = svg.Scale(0, max(total, 1), left, width - 70)
        parts.append(svg.text(left - 14, y + 16, name, "name", "end"))
        parts.append(svg.text(width - 4, y + 16, f"n {count(total)}", "note", "end"))
        x = 0
        for part, cls in order.items():
            n = counts.get(part, 0)
            if n == 0:
                continue
            start, end = scale(x), scale(x + n)
            bar = svg.element("rect", x=start, y=float(y), width=max(end - start - 1, 0.5),
                              height=22.0, cls=f"part {cls}")  # fmt: skip
            share = f"{100 * n / total:.0f} %"
            if end - start > svg.text_width(share) + 6:
                bar += svg.text((start + end) / 2, y + 15.5, share, f"inside {cls}", "middle")
            parts.append(svg.tooltip(bar, f"{name}: {part} {count(n)} of {count(total)}"))
            x += n
    return svg.chart(width, 8 + ROW * len(rows), label, parts)


def ridges(
    rows: Sequence[Ridge], *, label: str, tick: Callable[[float], str], width: float = 560
) -> Markup:
    """Histograms on one logarithmic axis, one row each, with median and quartiles below each."""
    edges, counts = histogram([np.asarray(row.values) for row in rows])
    low, high = float(edges[0]), float(edges[-1])
    note = "median 00,000"
    left = 18 + max(svg.text_width(row.label) for row in rows)
    scale = svg.Scale(low, high, left, width - 12 - svg.text_width(note), log=True)
    shares = [own / len(row.values) for row, own in zip(rows, counts, strict=True)]
    peak = max(float(share.max()) for share in shares)
    step = 62
    bottom = 8 + step * len(rows)
    parts = [svg.x_axis(scale, 6, bottom, svg.labelled_ticks(scale, tick, 7))]
    for i, (row, share) in enumerate(zip(rows, shares, strict=True)):
        base = 46 + step * i
        outline = [(scale(low), float(base))]
        for j, height in enumerate(share):
            y = base - 38 * float(height) / peak
            outline += [(scale(edges[j]), y), (scale(edges[j + 1]), y)]
        outline.append((scale(high), float(base)))
        first, median, third = (float(q) for q in np.quantile(row.values, [0.25, 0.5, 0.75]))
        shape = svg.path(outline, f"ridge {row.colour}", closed=True)
        shape += svg.line(scale(first), base + 5, scale(third), base + 5, f"whisker {row.colour}")
        shape += svg.element("circle", cx=scale(median), cy=base + 5.0, r=4.5,
                             cls=f"dot {row.colour}")  # fmt: skip
        if row.box is not None:
            published = [scale(value) for value in row.box]
            shape += svg.line(published[0], base + 11, published[2], base + 11, "mark thin")
            shape += svg.line(published[1], base + 7, published[1], base + 15, "mark")
        tip = (f"{row.label}: n {count(len(row.values))}, quartiles {tick(first)}, {tick(median)}, "
               f"{tick(third)}")  # fmt: skip
        parts.append(svg.tooltip(shape, tip))
        parts.append(svg.text(left - 14, base, row.label, "name", "end"))
        parts.append(svg.text(width - 4, base - 12, f"median {tick(median)}", "note", "end"))
        parts.append(svg.text(width - 4, base + 4, f"n {count(len(row.values))}", "note", "end"))
    return svg.chart(width, bottom + 24, label, parts)


def histogram(
    values: Sequence[npt.NDArray[Any]],
) -> tuple[npt.NDArray[np.float64], list[npt.NDArray[np.int64]]]:
    """Edges of bins that are equally wide on a logarithmic axis over all values, and the counts of each."""
    low = min(float(one.min()) for one in values) / 1.08
    high = max(float(one.max()) for one in values) * 1.08
    edges = np.geomspace(low, high, BINS + 1)
    return edges, [np.histogram(one, edges)[0] for one in values]


def lines(
    rows: Sequence[Series],
    *,
    label: str,
    x_name: str,
    x_tick: Callable[[float], str],
    y_tick: Callable[[float], str],
    dots: bool = False,
    whole: bool = False,
    ceiling: float = math.inf,
    width: float = 560,
    height: float = 300,
) -> Markup:
    """Lines with their names at the end; `whole` draws a tick for each x, y ends at `ceiling` at most."""
    rows = [row._replace(points=thinned(row.points)) for row in rows]
    xs = [x for row in rows for x, _ in row.points]
    ys = [y for row in rows for _, y in row.points]
    right = width - 24 - max(svg.text_width(row.label) for row in rows)
    top = max(ys) * 1.06 or 1.0
    across = svg.Scale(min(xs), max(max(xs), min(xs) + 1e-9), 52, right)
    up = svg.Scale(0, min(top, ceiling), height - 40, 10)
    ticks = sorted(set(xs)) if whole else across.ticks(6)
    parts = [
        svg.y_axis(up, 52, right, [(t, y_tick(t)) for t in up.ticks(5)]),
        svg.x_axis(across, height - 40, height - 40, [(t, x_tick(t)) for t in ticks]),
        svg.text((52 + right) / 2, height - 4, x_name, "tick", "middle"),
    ]
    for row in rows:
        points = [(across(x), up(y)) for x, y in row.points]
        parts.append(svg.tooltip(svg.path(points, f"line {row.colour}"), row.label))
        for (x, y), (_, value) in zip(points, row.points, strict=True):
            if dots:
                dot = svg.element("circle", cx=x, cy=y, r=4.5, cls=f"dot {row.colour}")
                parts.append(svg.tooltip(dot, f"{row.label}: {y_tick(value)}"))
    # Beside the plot, where no longer line runs through a name.
    ends = _apart([up(row.points[-1][1]) for row in rows], 15, height - 40)
    for row, y in zip(rows, ends, strict=True):
        parts.append(svg.text(right + 10, y + 4, row.label, f"end {row.colour}"))
    return svg.chart(width, height, label, parts)


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most 300 points: means of neighbours."""
    block = math.ceil(len(points) / MOST_POINTS)
    groups = [points[i : i + block] for i in range(0, len(points), max(block, 1))]
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group))
        for group in groups
    ]


def _apart(positions: Sequence[float], gap: float, lowest: float) -> list[float]:
    """Positions moved just enough that labels do not overlap: downwards, and up again from the lowest."""
    moved = list(positions)
    order = sorted(range(len(moved)), key=moved.__getitem__)
    above, below = -math.inf, lowest + gap
    for i in order:
        moved[i] = above = max(moved[i], above + gap)
    for i in reversed(order):
        moved[i] = below = min(moved[i], below - gap)
    return moved


def waterfall(steps: Sequence[Step], *, label: str, width: float = 560) -> Markup:
    """Rows that are left, and between them what each reason removed."""
    left = 18 + max(svg.text_width(step.label) for step in steps)
    scale = svg.Scale(0, max(max(step.left + step.removed for step in steps), 1), left, width - 76)
    parts = []
    for i, step in enumerate(steps):
        y = 4.0 + 24 * i
        start, end = scale(step.left), scale(step.left + step.removed)
        kept = step.removed == 0
        bar = svg.element(
            "rect",
            x=left if kept else start,
            y=y,
            width=max(start - left if kept else end - start, 1.0),
            height=17.0,
            cls="kept" if kept else "removed",
        )
        note = count(step.left) if kept else f"−{count(step.removed)}"
        parts.append(svg.text(left - 14, y + 13, step.label, "name" if kept else "why", "end"))
        parts.append(svg.tooltip(bar, f"{step.label}: {note}"))
        parts.append(svg.text(width - 4, y + 13, note, "name" if kept else "note", "end"))
    return svg.chart(width, 8 + 24 * len(steps), label, parts)
