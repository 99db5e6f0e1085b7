"""The parts of charts: scales, ticks and elements of SVG, coloured by the page's style sheet."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

# The width of a character of the small sans-serif type, on average, in pixels.
CHARACTER = 8.0


@dataclass(frozen=True)
class Scale:
    """Maps values in [low, high] to pixels in [start, end], linearly or by their logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value; values outside are drawn at the edge."""
        inside = min(max(value, self.low), self.high)
        share = (self._at(inside) - self._at(self.low)) / (self._at(self.high) - self._at(self.low))
        return self.start + share * (self.end - self.start)

    def _at(self, value: float) -> float:
        return math.log(value) if self.log else value

    def ticks(self, n: int = 6) -> list[float]:
        """About n round values inside the scale."""
        if self.log:
            return _log_ticks(self.low, self.high, n)
        raw = (self.high - self.low) / n
        power = 10 ** math.floor(math.log10(raw))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(i * step, 10) for i in range(first, last + 1)]


def _log_ticks(low: float, high: float, n: int) -> list[float]:
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 5), (1, 3), (1,)):
        ticks = [f * 10.0**e for e in exponents for f in factors if low <= f * 10.0**e <= high]
        if len(ticks) <= n + 1:
            break
    return ticks or [low, high]


def text_width(text: str) -> float:
    """About how many pixels a label takes."""
    return CHARACTER * len(text)


def labelled_ticks(
    scale: Scale, tick: Callable[[float], str], most: int
) -> list[tuple[float, str]]:
    """At most about so many round values with labels that do not touch on a horizontal axis."""
    for n in range(most, 0, -1):
        labels = [(value, tick(value)) for value in scale.ticks(n)]
        if all(
            scale(right[0]) - scale(left[0]) > text_width(left[1] + right[1]) / 2
            for left, right in itertools.pairwise(labels)
        ):
            return labels
    return [(scale.low, tick(scale.low)), (scale.high, tick(scale.high))]


def number(value: float) -> str:
    """A coordinate: two decimals are finer than a screen."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def element(tag: str, *children: str, **attributes: object) -> Markup:
    """An SVG element; numbers are rounded, `cls` is the class, underscores become hyphens."""
    parts = []
    for name, value in attributes.items():
        shown = number(value) if isinstance(value, float) else value
        parts.append(f' {"class" if name == "cls" else name.replace("_", "-")}="{escape(shown)}"')
    inner = "".join(str(escape(child)) for child in children)
    return Markup(
        f"<{tag}{''.join(parts)}>{inner}</{tag}>" if inner else f"<{tag}{''.join(parts)}/>"
    )


def line(x1: float, y1: float, x2: float, y2: float, cls: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, cls=cls)


def text(x: float, y: float, label: str, cls: str = "", anchor: str = "start") -> Markup:
    """A label."""
    return element("text", label, x=float(x), y=float(y), cls=cls, text_anchor=anchor)


def path(points: Iterable[tuple[float, float]], cls: str, *, closed: bool = False) -> Markup:
    """A polygon or a broken line."""
    steps = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    return element("polygon" if closed else "polyline", points=steps, cls=cls)


def tooltip(shape: Markup, label: str) -> Markup:
    """A shape that tells its numbers when pointed at."""
    return element("g", element("title", label), shape)


def chart(width: float, height: float, label: str, parts: Sequence[Markup]) -> Markup:
    """The whole drawing; `label` is what a screen reader says."""
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=number(width),
        height=number(height),
        role="img",
        aria_label=label,
    )


def x_axis(scale: Scale, top: float, bottom: float, labels: Sequence[tuple[float, str]]) -> Markup:
    """Vertical grid lines with their values below."""
    parts = []
    for value, label in labels:
        x = scale(value)
        parts.append(line(x, top, x, bottom, "grid"))
        parts.append(text(x, bottom + 16, label, "tick", "middle"))
    return Markup("").join(parts)


def y_axis(scale: Scale, left: float, right: float, labels: Sequence[tuple[float, str]]) -> Markup:
    """Horizontal grid lines with their values at the left."""
    parts = []
    for value, label in labels:
        y = scale(value)
        parts.append(line(left, y, right, y, "grid"))
        parts.append(text(left - 8, y + 4, label, "tick", "end"))
    return Markup("").join(parts)
