"""The part of the screen that says who is asked right now; `sourcewise status --watch` shows it alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sourcewise.dag import at_work, measured
from sourcewise.dag.at_work import Asked
from sourcewise.params.root import load
from sourcewise.progress import duration

WATCH_SECONDS = 5.0
TROUBLES = 4


def block(asked: Sequence[Asked]) -> RenderableType:
    """A line for each teacher and student, its rounds below it, and the jobs that are not at work."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for _ in range(5):
        table.add_column(justify="right", no_wrap=True)
    table.add_row(
        *(Text(head, "dim") for head in ("", "jobs", "attempts", "tokens/s", "left", "so far"))
    )
    notes: list[Text] = []
    for one in asked:
        about = "≈ " if one.role == "teacher" else ""
        of = "" if one.expected is None else f" of {about}{one.expected:,}"
        table.add_row(
            Text.assemble((f"{one.role} ", "dim"), (one.name, "bold")),
            f"{one.jobs}",
            f"{one.done:,}{of}",
            f"{one.tokens_per_second:,.0f}" if one.jobs else "–",
            "–" if one.left is None else f"≈ {duration(one.left)}",
            _so_far(one),
        )
        notes += _notes(one)
    return Group(table, *notes)


def _so_far(one: Asked) -> str:
    n = one.tokens
    size = f"{n / 1e6:,.1f} M" if n >= 1e6 else f"{n / 1e3:,.1f} k" if n >= 1e4 else f"{n:,}"
    money = "" if one.cost is None else f", {one.cost:,.2f} {one.currency}"
    return f"{size} tokens{money}"


def _notes(one: Asked) -> list[Text]:
    notes = []
    if one.rounds:
        shares = " · ".join(
            f"attempt {r.attempt} {100 * r.accepted / r.judged:.1f} % of {r.judged:,}"
            for r in one.rounds
        )
        accepted = sum(r.accepted for r in one.rounds)
        notes.append(Text(f"{one.name}: {accepted:,} accepted: {shares}", "dim"))
    for trouble in one.troubles[:TROUBLES]:
        notes.append(Text.assemble(("! ", "red"), f"{one.name}, {trouble}"))
    if (more := len(one.troubles) - TROUBLES) > 0:
        notes.append(Text.assemble(("! ", "red"), f"{one.name}: {more:,} more such jobs"))
    return notes


def watch() -> None:
    """Draws the block again every few seconds, until Ctrl-C."""
    params = load(Path("params.yaml"))
    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        while True:
            # Tables are replaced while one watches.
            measured.column.cache_clear()
            asked = at_work.look(params)
            body = block(asked) if asked else Text("nobody is asked right now", "dim")
            head = Text.assemble(
                ("Asked right now", "bold"), (f"  {time.strftime('%H:%M:%S')}", "dim")
            )
            live.update(Padding(Group(head, body), (1, 2)), refresh=True)
            time.sleep(WATCH_SECONDS)
