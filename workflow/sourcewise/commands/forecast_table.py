"""A forecast as a screen for a person who is about to pay."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sourcewise.forecasting import Estimate, Forecast, Prediction, ScheduleForecast, TeacherForecast
from sourcewise.params.root import Params
from sourcewise.predicting import ENOUGH

WIDTH = 100
UNITS = ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k"))


def show(forecast: Forecast, params: Params) -> None:
    """Prints the screen; without colours where stdout is no terminal or NO_COLOR is set."""
    # In a narrower terminal lines break; rich would cut numbers off.
    console = Console(highlight=False, width=WIDTH)
    console.print(render(forecast, params))


def render(forecast: Forecast, params: Params) -> RenderableType:
    """What is asked, what it costs where that is known, and what the numbers rest on."""
    level = f"{100 * forecast.level:g} % prediction intervals in brackets"
    title = Text.assemble(("Forecast ", "bold"), (f"for the whole corpus; {level}\n", "dim"))
    heads = ("queries", "attempts", "accepted", "completion tokens", "prompt tokens")
    parts: list[RenderableType] = [title, _table(forecast, heads, _asked), Text("")]
    if any(known for one in forecast.teachers.values() for known in _costs(one.total) if known):
        costs = ("GPU-hours", f"money, {forecast.currency}")
        parts += [Text("What it costs\n", "bold"), _table(forecast, costs, _cost), Text("")]
    parts += [Text("What stages take\n", "bold"), _stages(forecast), Text("")]
    if forecast.schedule:
        parts += [*_schedule(forecast.schedule), Text("")]
    for name, one in forecast.teachers.items():
        parts += [Text(note, "dim") for note in _notes(name, one, params)]
    if params.distill.futility is not None:
        words = "distill.futility is not counted on: where it gives a category up, less is asked"
        parts.append(Text(words, "dim"))
    return Padding(Group(*parts), (1, 0, 1, 2), expand=False)


def _table(
    forecast: Forecast, heads: Sequence[str], cells: Callable[[Prediction], list[str]]
) -> Table:
    """A row for each teacher and category, and their sums."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for _ in heads:
        table.add_column(justify="right", no_wrap=True)
    table.add_row("", *(Text(head, "dim") for head in heads))
    for name, one in forecast.teachers.items():
        table.add_row(Text(name, "bold blue"))
        for category, prediction in one.categories.items():
            table.add_row(f"  {category}", *cells(prediction))
        table.add_row("  together", *cells(one.total), style="bold")
    if len(forecast.teachers) > 1:
        table.add_row("all teachers", *cells(forecast.total), style="bold")
    return table


def _stages(forecast: Forecast) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    heads = ["GPU-hours", "core-hours", f"money, {forecast.currency}" if forecast.currency else ""]
    for _ in heads:
        table.add_column(justify="right", no_wrap=True)
    table.add_row("", *(Text(head, "dim") for head in heads))
    for name, one in forecast.stages.items():
        hours = _scaled(one.gpu_hours)
        if one.at_most and one.gpu_hours:
            hours = f"at most {hours}"
        money = _scaled(one.money) if forecast.currency else ""
        table.add_row(f"  {name}", hours, _scaled(one.cpu_hours), money)
    return table


def _schedule(found: ScheduleForecast) -> list[RenderableType]:
    title = Text.assemble(
        (f"On {found.gpus:,} GPUs ", "bold"), (f"{_scaled(found.hours)} hours\n", "bold")
    )
    chain = ", ".join(f"{rule} {hours:,.2g}" for rule, hours in found.chain.items())
    lines = [
        f"  the last response after {_scaled(found.distillation_hours)}; until then "
        f"jobs hold {100 * found.used:.0f} % of the GPUs' time",
        f"  the longest chain of jobs takes {sum(found.chain.values()):,.3g} hours: {chain}",
    ]
    if found.left_out:
        lines.append(
            f"  without {', '.join(found.left_out)}: the speed (rates.stages in params.yaml: gpus, "
            "tokens_per_second) or the tokens are not known"
        )
    return [title, *(Text(line) for line in lines)]


def _asked(prediction: Prediction) -> list[str]:
    value, low, high = (
        f"{100 * part / prediction.queries:.0f}"
        for part in prediction.accepted.model_dump().values()
    )
    return [
        f"{prediction.queries:,}",
        _scaled(prediction.attempts),
        f"{value} % ({low}–{high})",
        _scaled(prediction.completion_tokens),
        _scaled(prediction.prompt_tokens),
    ]


def _costs(prediction: Prediction) -> tuple[Estimate | None, Estimate | None]:
    return prediction.gpu_hours, prediction.money


def _cost(prediction: Prediction) -> list[str]:
    return [_scaled(estimate) for estimate in _costs(prediction)]


def _scaled(estimate: Estimate | None) -> str:
    """An estimate and its interval in one unit, three digits or so of each."""
    if estimate is None:
        return "–"
    factor, unit = next((one for one in UNITS if estimate.value >= one[0]), (1.0, ""))
    value, low, high = (part / factor for part in (estimate.value, estimate.low, estimate.high))
    whole = value >= 100 or (value >= 10 and not unit)
    places = 0 if whole else 1 if unit else 2 if value >= 1 else 3
    return f"{value:,.{places}f}{unit} ({low:,.{places}f}–{high:,.{places}f})"


def _notes(name: str, one: TeacherForecast, params: Params) -> list[str]:
    """What a reader must know of one teacher's numbers."""
    notes = [
        f"{name}: from {one.total.pilot:,} of {one.total.queries:,} queries, whose answers are in "
        "the ledger and are not paid again"
    ]
    if one.unknown:
        notes.append(f"{name}: without {', '.join(one.unknown)}, of which nothing was asked")
    few = [
        category
        for category, found in one.categories.items()
        if found.pilot < min(ENOUGH, found.queries)
    ]
    if few:
        notes.append(
            f"{name}: {', '.join(few)}: of fewer than {ENOUGH} queries, so the interval of tokens "
            "is too narrow"
        )
    rate = params.rates.teachers.get(name) if params.rates else None
    if rate is None:
        notes.append(
            f"{name}: no prices; give rates.teachers.{name} in params.yaml prompt_million and "
            "completion_million, or gpus and gpu_hour, beside rates.currency"
        )
    elif rate.gpus is not None and one.tokens_per_second is None:
        notes.append(
            f"{name}: no speed was measured, all answers were in the ledger; give "
            f"rates.teachers.{name}.tokens_per_second for GPU-hours"
        )
    elif rate.gpus is not None:
        where = (
            "as its rates say"
            if one.speed == "rates"
            else "as pilots measured, start of the engine included"
        )
        notes.append(
            f"{name}: {one.tokens_per_second:,.0f} tokens/s on {rate.gpus:,} "
            f"GPU{'s' * (rate.gpus > 1)}, {where}"
        )
    return notes
