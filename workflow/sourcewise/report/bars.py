"""Charts of bars: one value a row, and groups of them over spans of an axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from sourcewise.report import svg

ROW = 30


class Bar(NamedTuple):
    """A row of a bar chart."""

    label: str
    colour: str
    value: float
    note: str


class Group(NamedTuple):
    """The bars of one teacher over all spans, as shares; `marks` are another source's, where known."""

    label: str
    colour: str
    shares: Sequence[float]
    marks: Sequence[float] = ()


def rows(bars: Sequence[Bar], *, label: str, width: float = 560) -> Markup:
    """Horizontal bars from zero, their numbers at the right."""
    left = 18 + max(svg.text_width(bar.label) for bar in bars)
    right = width - 16 - max(svg.text_width(bar.note) for bar in bars)
    scale = svg.Scale(0, max(bar.value for bar in bars) or 1.0, left, right)
    parts = []
    for i, bar in enumerate(bars):
        y = 4.0 + ROW * i
        shape = svg.element("rect", x=left, y=y, width=max(scale(bar.value) - left, 1.0),
                            height=20.0, cls=f"part {bar.colour}")  # fmt: skip
        parts.append(svg.text(left - 14, y + 15, bar.label, "name", "end"))
        parts.append(svg.tooltip(shape, f"{bar.label}: {bar.note}"))
        parts.append(svg.text(width - 4, y + 15, bar.note, "note", "end"))
    return svg.chart(width, 8 + ROW * len(bars), label, parts)


def spans(
    groups: Sequence[Group],
    names: Sequence[str],
    *,
    label: str,
    x_name: str,
    width: float = 760,
    height: float = 300,
) -> Markup:
    """Bars side by side in each span, as shares; a line across a bar is the mark of another source."""
    bottom, left = height - 44, 52.0
    highest = max(share for group in groups for share in (*group.shares, *group.marks))
    up = svg.Scale(0, 1.06 * highest or 1.0, bottom, 10)
    parts = [svg.y_axis(up, left, width - 4, [(t, f"{100 * t:.3g} %") for t in up.ticks(5)])]
    step = (width - 4 - left) / len(names)
    thick = 0.84 * step / len(groups)
    for i, name in enumerate(names):
        start = left + i * step + 0.08 * step
        parts.append(svg.text(left + (i + 0.5) * step, bottom + 16, name, "tick", "middle"))
        for j, group in enumerate(groups):
            x, top = start + j * thick, up(group.shares[i])
            shape = svg.element("rect", x=x, y=top, width=max(thick - 1, 0.5),
                                height=max(bottom - top, 0.5), cls=f"part {group.colour}")  # fmt: skip
            said = f"{group.label}, {name}: {100 * group.shares[i]:.1f} %"
            if group.marks:
                y = up(group.marks[i])
                shape += svg.line(x - 1, y, x + thick, y, "mark")
                said += f"; the paper {100 * group.marks[i]:.1f} %"
            parts.append(svg.tooltip(shape, said))
    parts.append(svg.text((left + width) / 2, height - 8, x_name, "tick", "middle"))
    return svg.chart(width, height, label, parts)
