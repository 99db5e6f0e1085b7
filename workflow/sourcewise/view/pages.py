"""The pages as HTML: what was found, put into the templates; every text escaped, every address made here."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import jinja2
from markupsafe import Markup

from sourcewise.report.colours import N_COLOURS
from sourcewise.tables import STATUSES
from sourcewise.view import templates
from sourcewise.view.catalogue import Benchmark, Catalogue
from sourcewise.view.refusing import Count, Refusals, Refused
from sourcewise.view.sampling import Question
from sourcewise.view.searches import ACCEPTED, Search
from sourcewise.view.searching import PAGE, Found, Mark
from sourcewise.view.style import CSS
from sourcewise.view.tracing import Trace

# Of a single text; what models write in loops would make pages that no browser scrolls.
MOST_CHARACTERS = 200_000
# Samples of a student that a page shows unless it is asked for all: a benchmark may have 64 of 49,152 tokens.
FIRST_SAMPLES = 4
# Teachers side by side in the width of a page of text.
NARROW = 3
FATES = {
    "example": "✓ an example",
    "selected": "selected, not filtered yet",
    "dropped": "✗ dropped by a filter",
    "not_selected": "✗ not selected",
}
_STYLE = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
# No script, no image, no frame, no address but our own: hostile text that got through could still do nothing.
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE}'; img-src data:; base-uri 'none'; "
    "form-action 'self'"
)
# Control characters, which HTML cannot hold, and those that reorder or hide text, as visible signs.
_VISIBLE = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"}
_VISIBLE |= {0x7F: "␡"}
_VISIBLE |= {code: f"[U+{code:04X}]" for code in (*range(0x80, 0xA0), 0x200B, 0x2060, 0xFEFF)}
_VISIBLE |= {code: f"[U+{code:04X}]" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


@dataclass(frozen=True)
class Links:
    """The addresses on a page of the server; `conditions` are those of the search that led there."""

    conditions: Mapping[str, str]
    live = True

    def home(self) -> str:
        """The first page."""
        return "/"

    def back(self) -> str:
        """The results that a query was among."""
        return _address("/", self.conditions)

    def query(self, query_id: str, **more: str) -> str:
        """A query's page."""
        return _address(f"/query/{query_id}", {**self.conditions, **more})

    def onward(self, place: str) -> str:
        """The query behind a place among the results."""
        return _address("/next", {**self.conditions, "after": place})

    def away(self, **conditions: str) -> str:
        """Queries turned away, by stage and reason."""
        return _address("/rejected", conditions)

    def benchmarks(self, **conditions: str) -> str:
        """The questions of a benchmark, or the list of benchmarks."""
        return _address("/benchmarks", conditions)


@dataclass(frozen=True)
class Files:
    """The addresses on a page that lies in a folder among others."""

    live = False

    def home(self) -> str:
        return "index.html"

    back = home

    away = home

    def query(self, query_id: str, **_: str) -> str:
        return f"{query_id}.html"


def results(
    held: Catalogue,
    search: Search,
    page: Sequence[Found],
    links: Any,
    copy: str,
    *,
    categories: Sequence[str] = (),
    summary: str = "",
) -> str:
    """A page of queries with what each teacher made of them; `summary` says which where they are a sample."""
    more = len(page) == PAGE and links.live
    onward = _address("/", {**search.conditions(), "after": page[-1].place}) if more else ""
    datasets = [one.name for one in held.datasets]
    choices = {
        "category": _same(categories),
        "source": _same(held.sources),
        "teacher": _same(one.name for one in held.teachers),
        "status": [(status, _words(status)) for status in STATUSES],
        "accepted": list(ACCEPTED.items()),
        "dataset": [(name, f"in {name}") for name in datasets]
        + [(f"-{name}", f"not in {name}") for name in datasets],
    }
    return _render(
        "results", links, copy, title="Queries", search=search, page=page,
        choices=choices, onward=onward, summary=summary or _summary(len(page), bool(onward), search.after),
    )  # fmt: skip


def rejected(
    held: Catalogue,
    search: Refusals,
    page: Sequence[Refused],
    counts: Sequence[Count],
    links: Links,
    copy: str,
) -> str:
    """A page of queries that never got into the corpus."""
    choices = {
        "source": _same(sorted({*held.sources, search.source} - {""})),
        "by": _same(sorted({one.by for one in counts} | {search.by} - {""})),
        "reason": [
            (name, _words(name))
            for name in sorted({one.reason for one in counts} | {search.reason} - {""})
        ],
    }
    following = {**search.conditions(), "first": str(search.first + PAGE)}
    onward = _address("/rejected", following) if len(page) == PAGE else ""
    return _render(
        "rejected", links, copy, title="Turned away", search=search, page=page, counts=counts, choices=choices,
        onward=onward, summary=_summary(len(page), bool(onward), search.first),
    )  # fmt: skip


def traced(
    held: Catalogue,
    trace: Trace,
    links: Any,
    copy: str,
    *,
    onward: str = "",
    unfolded: bool = False,
    shown: str = "",
) -> str:
    """All of one query; `shown` is `all` where all samples of the students are."""
    colours = _colours(one.name for one in held.teachers)
    students = dict.fromkeys(name for one in held.benchmarks for name in one.students)
    back = links.back() if trace.shard else links.away()
    if trace.samples and links.live and not (trace.shard or trace.rejects):
        back = links.benchmarks(name=trace.samples[0].benchmark)
    columns = max([len(trace.attempts), *(len(one.students) for one in trace.samples)])
    return _render(
        "trace", links, copy, title=f"{trace.query.query_id[:8]}, {trace.query.category}",
        trace=trace, colours=colours, fates=FATES, onward=onward, unfolded=unfolded, back=back,
        shown=shown, most=FIRST_SAMPLES, student_colours=_colours(students), broad=columns > NARROW,
    )  # fmt: skip


def benchmarks(
    held: Catalogue,
    chosen: Benchmark | None,
    page: Sequence[Question],
    first: int,
    links: Links,
    copy: str,
) -> str:
    """The benchmarks, and a page of the questions of one with each student's correct samples."""
    name = chosen.name if chosen else ""
    more = len(page) == PAGE
    onward = links.benchmarks(name=name, first=str(first + PAGE)) if more else ""
    return _render(
        "benchmarks", links, copy, title=name or "Benchmarks", benchmarks=held.benchmarks, chosen=name,
        students=chosen.students if chosen else (), page=page, onward=onward,
        summary=f"{len(page)} question{'s' * (len(page) != 1)}{', and more behind them' * more}.",
    )  # fmt: skip


def _colours(names: Iterable[str]) -> dict[str, str]:
    return {name: f"c{n % N_COLOURS}" for n, name in enumerate(names)}


def problem(title: str, said: str, copy: str) -> str:
    """What went wrong, for a reader."""
    return _render("problem", Links({}), copy, title=title, said=said)


def _summary(n: int, more: bool, later: object) -> str:
    if not n:
        return "No further query." if later else "No query is like that."
    return f"{n} {'queries' if n > 1 else 'query'}{', and more behind them' if more else ''}."


def _render(template: str, links: Any, copy: str, **values: Any) -> str:
    policy = "" if links.live else POLICY
    page = _environment().get_template(template)
    return page.render(
        links=links, copy=copy, css=Markup(CSS), policy=policy, **{"broad": False, **values}
    )


def _address(path: str, conditions: Mapping[str, str]) -> str:
    said = urlencode({name: value for name, value in conditions.items() if value})
    return f"{path}?{said}" if said else path


def _same(names: Any) -> list[tuple[str, str]]:
    return [(name, name) for name in names]


def _words(name: str) -> str:
    return name.replace("_", " ")


def _visible(text: str) -> str:
    return text.replace("\r\n", "\n").translate(_VISIBLE)


def _cut(text: str) -> str:
    if len(text) <= MOST_CHARACTERS:
        return text
    return f"{text[:MOST_CHARACTERS]}\n… {len(text) - MOST_CHARACTERS:,} more characters"


def _last(mark: Mark) -> str:
    return _words(str(mark.status)) if mark.score is None else f"score {mark.score:g}"


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(templates.ALL),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters.update(
        visible=_visible,
        cut=_cut,
        words=_words,
        last=_last,
        count=lambda n: f"{n:,}",
        decimal=lambda value: f"{value:,.0f}" if value >= 1000 else f"{value:.4g}",
        attempts=lambda n: f"{n} attempt{'s' if n > 1 else ''}",
        characters=lambda text: f"{len(text):,} character{'s' if len(text) > 1 else ''}",
    )
    return environment
