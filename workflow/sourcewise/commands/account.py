"""`sourcewise account`: what the jobs of this working copy took, beside what was forecast.

Asks Slurm's accounts where they know this folder, else reads the logs of the jobs, whose GPUs are those of
`rates`. With --into FORECAST.json the numbers join a forecast, and the report (report.forecast) sets both side
by side. Ends with 0, or with 2 and one line that says what is wrong.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from sourcewise import accounting
from sourcewise.accounting import STAGES, Spent
from sourcewise.commands.environment import UsageError
from sourcewise.commands.verify import WRONG_USE
from sourcewise.dag.hours import took
from sourcewise.doctor.findings import CommandError, say
from sourcewise.forecasting import Actual, Forecast, StageActual
from sourcewise.params.root import Params, ParamsError, load

LOGS = Path("logs")
SACCT_SECONDS = 60.0


def main(arguments: Sequence[str]) -> int:
    """Collects, prints and writes as the command line says; returns the exit status."""
    command = argparse.ArgumentParser(
        prog="sourcewise account",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--into", type=Path, metavar="FORECAST.json", help="a file of `sourcewise forecast --out`"
    )
    options = command.parse_args(arguments)
    try:
        actual = collected(load(Path("params.yaml")))
        if options.into:
            _join(actual, options.into)
    except (ParamsError, OSError, ValueError) as error:
        print(f"sourcewise account: {error}", file=sys.stderr)
        return WRONG_USE
    _show(actual)
    return 0


def collected(params: Params) -> Actual:
    """What the jobs of this folder took; raises UsageError where none ended here."""
    by_slurm = _of_slurm()
    jobs = by_slurm or list(_of_logs(params))
    if not jobs:
        raise UsageError("no job ended in this folder: run the pipeline first")
    stages = {
        stage: _sum(job for job in jobs if STAGES.get(job.rule, "other") == stage)
        for stage in dict.fromkeys((*STAGES.values(), "other"))
    }
    return Actual(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        source="slurm" if by_slurm else "logs",
        stages={name: one for name, one in stages.items() if one.jobs},
    )


def _of_slurm() -> list[Spent]:
    """The jobs that Slurm's accounts know of this folder; none without accounts."""
    oldest = min((path.stat().st_mtime for path in LOGS.rglob("*.log")), default=None)
    if oldest is None:
        return []
    since = datetime.fromtimestamp(oldest - 86400).strftime("%Y-%m-%dT%H:%M:%S")
    what = f"--format={','.join(accounting.FIELDS)}"
    if not shutil.which("sacct"):
        return []
    try:
        # Requeued jobs have a line for each of their runs.
        said = say(
            *("sacct", "--allocations", "--duplicates", "--parsable2", "--noheader"),
            *("--delimiter", accounting.DELIMITER, "--starttime", since, what),
            seconds=SACCT_SECONDS,
        )
    except CommandError as error:
        print(f"sourcewise account: by logs, as Slurm's accounts fail: {error}", file=sys.stderr)
        return []
    return accounting.of_slurm(said.splitlines())


def _of_logs(params: Params) -> Iterator[Spent]:
    """The last finished run of each job, by its log; GPUs are those that `rates` say."""
    rates = params.rates
    for rule in STAGES:
        for path in sorted((LOGS / rule).rglob("*.log")):
            found = took(str(path))
            if found is None:
                continue
            rate = rates.stages.get(rule) if rates else None  # type: ignore[call-overload]
            if rule == "generate" and rates:
                rate = rates.teachers.get(path.relative_to(LOGS / rule).parts[0])
            hours = found.seconds / 3600
            # A round that finds all in the ledger starts no engine.
            works = rule != "generate" or found.asked > 0
            gpus = 0 if rule == "verify" or not works else rate and rate.gpus
            yield Spent(rule, False, hours, None if gpus is None else gpus * hours, None)


def _sum(jobs: Iterable[Spent]) -> StageActual:
    found = list(jobs)
    return StageActual(
        jobs=len(found),
        failed=sum(job.failed for job in found),
        hours=sum(job.hours for job in found),
        gpu_hours=_known(job.gpu_hours for job in found),
        cpu_hours=_known(job.cpu_hours for job in found),
    )


def _known(hours: Iterable[float | None]) -> float | None:
    """The sum, None where a part is not known."""
    parts = list(hours)
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _join(actual: Actual, path: Path) -> None:
    if not path.is_file():
        raise UsageError(f"{path} does not exist: make it (sourcewise forecast --out {path})")
    try:
        forecast = Forecast.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise UsageError(f"{path} is no file of `sourcewise forecast --out`: {error}") from None
    partial = path.with_name(f".{path.name}.partial")
    joined = forecast.model_copy(update={"actual": actual})
    partial.write_text(joined.model_dump_json(indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def _show(actual: Actual) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    heads = ("jobs", "failed", "hours", "GPU-hours", "core-hours")
    table.add_column(no_wrap=True)
    for _ in heads:
        table.add_column(justify="right")
    table.add_row("", *heads, style="dim")
    for name, one in actual.stages.items():
        numbers = (_hours(hours) for hours in (one.hours, one.gpu_hours, one.cpu_hours))
        table.add_row(name, f"{one.jobs:,}", f"{one.failed:,}", *numbers)
    whose = "Slurm's accounts" if actual.source == "slurm" else "the last finished run of each job"
    console = Console(highlight=False, width=100)
    console.print(table)
    console.print(f"by {whose}", style="dim")


def _hours(hours: float | None) -> str:
    return "–" if hours is None else f"{hours:,.3f}" if hours < 10 else f"{hours:,.1f}"
