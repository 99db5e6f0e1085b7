"""`sourcewise forecast`: what the teachers of params.yaml will be asked and what it costs, before it is paid.

Sends a pilot through the loop, at most --pilot queries of each category and teacher, and predicts attempts,
accepted queries, tokens, GPU-hours and money of the whole corpus. The run finds the pilot's answers in the
ledger and does not ask again. With --pilot 0 nothing is asked: the finished rounds of earlier runs tell. Ends
with 0, or with 2 and one line that says what is wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from snakemake_interface_common.exceptions import WorkflowError

from sourcewise import forecasting, predicting
from sourcewise.commands import forecast_schedule, forecast_stages, forecast_table, pilot
from sourcewise.commands.environment import UsageError
from sourcewise.commands.pilot import Asked
from sourcewise.commands.verify import INTERRUPTED, WRONG_USE
from sourcewise.dag import running
from sourcewise.forecasting import Forecast, TeacherForecast
from sourcewise.params.rates import Rate
from sourcewise.params.root import Params, load
from sourcewise.predicting import Cost, Drawn, Limits
from sourcewise.recipes import manifests
from sourcewise.recipes.manifests import Corpus

MANIFEST = Path("data/queries/manifest.json")


def main(arguments: Sequence[str]) -> int:
    """Asks, predicts, prints and writes as the command line says; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        _forecast(options)
    except (WorkflowError, OSError, ValueError) as error:
        print(f"sourcewise forecast: {error}", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        print("sourcewise forecast: interrupted; what was answered stays", file=sys.stderr)
        return INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        prog="sourcewise forecast",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--pilot", type=_whole, default=200, metavar="N", help="queries of a category (200)"
    )
    command.add_argument(
        "--teacher", action="append", metavar="NAME", help="these only; else all that are asked"
    )
    command.add_argument("--seed", type=_whole, help="which queries are looked at (params' seed)")
    command.add_argument(
        "--out", type=Path, metavar="FILE.json", help="the numbers, for the report"
    )
    command.add_argument(
        "--gpus", type=_whole, metavar="N", help="how long the run takes on so many GPUs"
    )
    return command


def _whole(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return number


def _forecast(options: argparse.Namespace) -> None:
    params = load(Path("params.yaml"))
    names = _teachers(params, options.teacher)
    if options.gpus:
        forecast_schedule.check(params, names, options.gpus)
    if not MANIFEST.is_file():
        raise UsageError(
            f"{MANIFEST} does not exist: make the corpus first (snakemake --cores 2 -- queries)"
        )
    corpus = manifests.corpus(MANIFEST)
    seed = params.seed if options.seed is None else options.seed
    asked = _asked(params, names, corpus, size=options.pilot, seed=seed)
    sizes = pilot.sizes(corpus)
    foretold = {name: _foretold(name, params, asked[name], sizes, seed) for name in names}
    sums = {name: one.sums for name, one in foretold.items()}
    forecast = Forecast(
        schema_version=forecasting.SCHEMA,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=seed,
        pilot=options.pilot,
        level=predicting.LEVEL,
        currency=params.rates.currency if params.rates else None,
        teachers={name: one.forecast for name, one in foretold.items()},
        total=predicting.total(list(sums.values())).prediction(),
        stages=forecast_stages.stages(
            params, sums, {name: one.judging for name, one in asked.items()}
        ),
        schedule=forecast_schedule.schedule(
            params, asked, corpus, sums, gpus=options.gpus, seed=seed
        )
        if options.gpus
        else None,
    )
    forecast_table.show(forecast, params)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(forecast.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _teachers(params: Params, chosen: list[str] | None) -> list[str]:
    asked = [name for name, teacher in params.teachers.items() if teacher.engine is not None]
    for name in chosen or ():
        if name not in asked:
            why = "is imported, so nothing is paid" if name in params.teachers else "is no teacher"
            raise UsageError(f"--teacher {name} {why}; choose from {', '.join(asked) or 'none'}")
    if not asked:
        raise UsageError("params.yaml has imported teachers only: there is nothing to pay")
    return list(dict.fromkeys(chosen or asked))


def _asked(
    params: Params, names: list[str], corpus: Corpus, *, size: int, seed: int
) -> dict[str, Asked]:
    """What each teacher's pilot found, or earlier runs where `size` is 0."""
    if size == 0:
        return {
            name: Asked(
                pilot.from_tables(name, params, corpus), pilot.speed(name), pilot.judging(name)
            )
            for name in names
        }
    # A run beside it would ask for the same attempts.
    lock = running.take()
    queries = pilot.sample(corpus, size, seed)
    asked = {name: pilot.ask(name, params, queries) for name in names}
    lock.close()
    return asked


class Foretold(NamedTuple):
    """A teacher's forecast, and its sums as draws."""

    forecast: TeacherForecast
    sums: Drawn


def _foretold(
    name: str, params: Params, asked: Asked, sizes: dict[str, int], seed: int
) -> Foretold:
    teacher, rates = params.teachers[name], params.rates
    rate = rates.teachers.get(name) if rates else None
    given = rate.tokens_per_second if rate else None
    cost = _cost(rate, given or asked.tokens_per_second)
    limits = Limits(
        params.distill.max_attempts, teacher.sampling.max_tokens if teacher.sampling else 0
    )
    groups = predicting.by_category(asked.finished)
    if not groups:
        raise UsageError(f"no round of {name} is finished here: give --pilot a number of queries")
    drawn = {
        category: predicting.drawn(
            found, sizes[category], limits, _generator(seed, name, category)
        ).priced(cost)
        for category, found in groups.items()
    }
    sums = predicting.total(list(drawn.values()))
    forecast = TeacherForecast(
        basis=forecasting.basis(teacher, params.distill, MANIFEST.read_text(encoding="utf-8")),
        tokens_per_second=given or asked.tokens_per_second,
        speed="rates" if given else "pilot" if asked.tokens_per_second else None,
        categories={category: one.prediction() for category, one in drawn.items()},
        unknown=tuple(category for category in sizes if category not in groups),
        total=sums.prediction(),
    )
    return Foretold(forecast, sums)


def _generator(seed: int, name: str, category: str) -> np.random.Generator:
    return np.random.default_rng(list(f"{seed}/{name}/{category}".encode()))


def _cost(rate: Rate | None, tokens_per_second: float | None) -> Cost:
    """What a token takes: prices of an endpoint where there are any, else those of GPU-hours."""
    if rate is None:
        return Cost()
    hours = None
    if rate.gpus is not None and tokens_per_second:
        hours = rate.gpus / tokens_per_second / 3600
    if rate.prompt_million is not None and rate.completion_million is not None:
        return Cost(hours, rate.completion_million / 1e6, rate.prompt_million / 1e6)
    if hours is None or rate.gpu_hour is None:
        return Cost(hours)
    return Cost(hours, hours * rate.gpu_hour, 0.0)
