"""One screen for a person: what `sourcewise status` found, in the order in which one asks."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sourcewise.dag import at_work_screen
from sourcewise.dag.calls import Calls
from sourcewise.dag.status import Cause, Planned, Status
from sourcewise.progress import duration

WIDTH = 100
CAUSES, STAGES, MODELS, WHAT, VALUE = 12, 14, 6, 51, 20
LABELS = {
    "param": "param",
    "code": "code",
    "file": "file",
    "rule": "rule",
    "inputs": "rule",
    "job": "new",
}


def show(status: Status) -> None:
    """Prints the screen; without colours where stdout is no terminal or NO_COLOR is set."""
    console = Console(highlight=False, soft_wrap=False)
    console.width = min(console.width, WIDTH) if sys.stdout.isatty() else WIDTH
    console.print(render(status))


def render(status: Status) -> RenderableType:
    """All parts of the screen that have something to say."""
    parts: list[RenderableType] = [_headline(status)]
    if status.running:
        parts.append(
            _line("●", "yellow", f"a run works here: {status.running}; this is what it has left")
        )
    if status.asked:
        parts.append(_section("Asked right now", at_work_screen.block(status.asked)))
    if status.plan:
        parts += [_section("Why", _causes(status.causes))]
        parts += [_section("What would run", _plan(status))]
        parts += [_section("What it would cost", _cost(status))]
    parts.append(_tools(status))
    return Padding(Group(*parts), (1, 0, 1, 2), expand=False)


def _headline(status: Status) -> Text:
    name = status.folder.rpartition("/")[2]
    head = Text.assemble(("Sourcewise ", "bold"), (f"{name}\n\n", "dim"))
    if not status.plan:
        return head.append_text(Text("Nothing is stale", "bold green")).append(
            f": {status.all_jobs:,} jobs are done\n"
        )
    jobs = f"At most {status.jobs:,} of {status.all_jobs:,} jobs would run"
    return head.append_text(Text(jobs, "bold yellow")).append(
        "; one whose inputs come out as they were is spared\n", "dim"
    )


def _section(title: str, body: RenderableType) -> Group:
    return Group(Text(title, "bold"), Padding(body, (0, 0, 1, 2), expand=False))


def _causes(causes: list[Cause]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(style="blue", overflow="fold", min_width=12)
    for cause in causes[:CAUSES]:
        change = cause.change
        table.add_row(
            LABELS.get(change.kind, ""),
            Text(_middle(change.what), "cyan" if change.kind == "param" else ""),
            _happened(cause),
            _some(_touched(cause)),
        )
    rest = len(causes) - CAUSES
    return Group(table, Text(f"and {rest:,} more (--json lists all)", "dim")) if rest > 0 else table


def _touched(cause: Cause) -> list[str]:
    """The stages that a cause touches; the report reads every parameter, which is no news."""
    return [stage for stage in cause.stages if stage != "report"] or cause.stages


def _happened(cause: Cause) -> Text:
    change = cause.change
    if change.before is not None and change.after is not None:
        before, after = _value(change.before), _value(change.after)
        return Text.assemble((before, "red"), (" → ", "dim"), (after, "green"))
    return Text(change.happened, "green" if change.happened == "added" else "yellow")


def _middle(path: str) -> str:
    """A long path without its middle: both ends tell most."""
    half = (WHAT - 1) // 2
    return path if len(path) <= WHAT else f"{path[:half]}…{path[-half:]}"


def _value(text: str) -> str:
    value = json.loads(text)
    shown = value if isinstance(value, str) and value else text
    return shown if len(shown) <= VALUE else f"{shown[: VALUE - 1]}…"


def _some(names: list[str], most: int = 3) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _plan(status: Status) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="blue", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True, style="dim")
    plan = status.plan if len(status.plan) <= STAGES else _families(status.plan)
    table.add_row(
        "", Text("jobs", "dim"), "", "work" if any(row.seconds is not None for row in plan) else ""
    )
    for planned in plan:
        rules = " · ".join(
            rule if n == 1 else f"{rule} ×{n:,}" for rule, n in planned.rules.items()
        )
        time = "" if planned.seconds is None else _time(planned.seconds)
        table.add_row(planned.stage, f"{planned.jobs:,}", rules, time)
    return table


def _families(plan: list[Planned]) -> list[Planned]:
    """The stages of one family as one row, for screens that would not hold them."""
    rows: dict[str, list[Planned]] = {}
    for planned in plan:
        rows.setdefault(planned.stage.partition("@")[0], []).append(planned)
    folded = []
    for family, stages in rows.items():
        rules: dict[str, int] = {}
        for planned in stages:
            for rule, n in planned.rules.items():
                rules[rule] = rules.get(rule, 0) + n
        times = [planned.seconds for planned in stages if planned.seconds is not None]
        name = f"{family}@ ({len(stages)})" if "@" in stages[0].stage else family
        folded.append(Planned(name, rules, sum(times) if times else None))
    return folded


def _cost(status: Status) -> RenderableType:
    table = Table.grid(padding=(0, 3, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(style="dim", overflow="fold")
    asked = [calls for calls in status.calls if calls.role != "perplexity"]
    for calls in asked if len(asked) <= MODELS else _roles(asked):
        table.add_row(_who(calls), *_calls(calls), _why_so_many(calls))
    for calls in status.calls:
        if calls.role == "perplexity":
            scored = _number(calls.calls, calls)
            table.add_row(Text("perplexity", "dim"), scored, "responses to score", "")
    rows: list[RenderableType] = [table, Text("")] if table.rows else []
    return Group(*rows, _total(asked), _hours(status))


def _sum(given: Sequence[Calls], model: str, role: str) -> Calls:
    """Several models as one number, as sure as the least sure of them."""
    total = Calls(model, role)
    for calls in given:
        total.add(calls.calls or 0.0)
        total.tokens = (total.tokens or 0.0) + (calls.tokens or 0.0)
        total.found += calls.found
        total.measured = total.measured and calls.measured
        if not calls.exact:
            total.expect(calls.reason, at_most=calls.at_most)
    if any(calls.calls is None for calls in given):
        total.unknown()
    return total


def _roles(asked: Sequence[Calls]) -> list[Calls]:
    """One row for all models of a role, for screens that would not hold them."""
    roles = dict.fromkeys(calls.role for calls in asked)
    alike = {role: [calls for calls in asked if calls.role == role] for role in roles}
    return [
        some[0] if len(some) == 1 else _sum(some, f"({len(some)})", f"{role}s")
        for role, some in alike.items()
    ]


def _who(calls: Calls) -> Text:
    return Text.assemble((f"{calls.role} ", "dim"), (calls.model, "bold"))


def _calls(calls: Calls) -> tuple[str, str]:
    if calls.calls == 0:
        return "0", "calls"
    tokens = "" if calls.tokens is None else f", {_tokens(calls)}"
    return _number(calls.calls, calls), f"calls{tokens}"


def _why_so_many(calls: Calls) -> str:
    if calls.role == "import":
        return "rows of files"
    if calls.calls == 0:
        return "every answer is in the ledger" if calls.found else "nothing is open"
    found = [f"{calls.found:,} more are in the ledger"] if calls.found else []
    return "; ".join([*found, calls.reason] if calls.reason else found)


def _number(calls: float | None, source: Calls) -> str:
    if calls is None:
        return "?"
    sign = "" if source.exact else ("≤ " if source.at_most else "≈ ")
    return f"{sign}{round(calls) or int(calls > 0):,}"


def _tokens(calls: Calls) -> str:
    n = calls.tokens or 0.0
    bound = calls.at_most or not calls.measured
    size = f"{n / 1e6:,.1f} M" if n >= 1e6 else f"{n / 1e3:,.1f} k" if n >= 1e4 else f"{round(n):,}"
    return f"{'≤' if bound else '≈'} {size} tokens"


def _total(asked: Sequence[Calls]) -> Text:
    total = _sum(asked, "", "")
    if total.calls is None:
        return Text.assemble(("model calls: ", "bold"), total.reason)
    if total.calls == 0:
        why = "every answer is in the ledger" if total.found else "no stale job asks a model"
        return Text.assemble(("0 model calls", "bold green"), f": {why}")
    return Text.assemble(
        (f"{_number(total.calls, total)} model calls", "bold"), f" · {_tokens(total)}"
    )


def _hours(status: Status) -> Text:
    cores = _count(status.cores, "core")
    if status.seconds is None:
        return Text(f"time on {cores}: not known, no such job was ever run here", "dim")
    text = Text.assemble((_time(status.seconds), "bold"), f" on {cores}, as such jobs took here")
    if status.unmeasured:
        text.append(f"; without {_some(status.unmeasured)}, never run here", "yellow")
    return text


def _time(seconds: float) -> str:
    return "< 1 s" if seconds < 0.95 else f"≈ {duration(seconds)}"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _line(mark: str, colour: str, text: str) -> Text:
    return Text.assemble((f"{mark} ", colour), text)


def _tools(status: Status) -> Group:
    """A line for each tool where nothing is stale, the command where something is, and any difference."""
    lines: list[RenderableType] = []
    cores = f"snakemake --cores {status.cores}"
    if not status.plan:
        lines.append(_line("✓", "green", "Snakemake has nothing to do"))
        if status.dvc == {}:
            lines.append(_line("✓", "green", "DVC is up to date"))
    elif not status.running:
        lines.append(Text.assemble("run it:  ", (cores, "bold"), "   or   ", ("dvc repro", "bold")))
        if status.dvc is not None and not status.only_snakemake:
            more = f", and {_some(status.only_dvc)}, which has no job" if status.only_dvc else ""
            lines.append(Text(f"         DVC calls the same stages stale{more}", "dim"))
    if status.dvc_error:
        lines.append(_line("●", "yellow", f"DVC did not answer: {status.dvc_error}"))
    if status.only_dvc and not status.plan:
        what = sorted({item for stage in status.only_dvc for item in (status.dvc or {})[stage]})
        made = any(item.startswith(("data/", "models/")) for item in what)
        happened = (
            "is not what DVC last took in" if made else "changed, but no result depends on how"
        )
        lines.append(
            _line(
                "●",
                "yellow",
                f"DVC alone lists {_some(status.only_dvc)}: {_some(what)} {happened}; "
                f"`{cores}` tells DVC, no job runs for it",
            )
        )
    if status.only_snakemake:
        stages = " ".join(status.only_snakemake)
        lines.append(
            _line(
                "●",
                "red",
                f"Snakemake alone calls {_some(status.only_snakemake)} stale: `dvc repro` would skip "
                f"it; `{cores}`, then `dvc commit --force {stages}` brings both together",
            )
        )
    return Group(*lines)
