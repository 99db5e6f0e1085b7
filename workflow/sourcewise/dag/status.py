"""`sourcewise status`: what is stale, why, what would run, and what it would cost.

One dry reading of the Snakefile in this process, with `dvc status` beside it. Nothing is run or locked.
Ends with 0 where no job would run, 3 where jobs would, 1 with a message where that cannot be told.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from sourcewise.dag import at_work, hours
from sourcewise.dag.asks import Asks
from sourcewise.dag.at_work import Asked
from sourcewise.dag.calls import Calls, Reading
from sourcewise.dag.inquiry import Inquiry
from sourcewise.dag.measured import size
from sourcewise.dag.running import holder
from sourcewise.dag.why import Causes, Change, explained
from sourcewise.params.queries import Origin
from sourcewise.params.root import Params, load

STALE = 3


class StatusError(RuntimeError):
    """The state of this folder cannot be told; the message says why and what to do."""


@dataclass
class Cause:
    """One change and the stages whose jobs it makes stale by itself."""

    change: Change
    stages: list[str]


@dataclass
class Planned:
    """What one DVC stage would run: jobs by rule, and their seconds one after another."""

    stage: str
    rules: dict[str, int]
    seconds: float | None

    @property
    def jobs(self) -> int:
        """How many jobs there are."""
        return sum(self.rules.values())


@dataclass
class Status:
    """All that the screen shows; `seconds` is None where no such job was ever measured here.

    `unmeasured` names the rules without a measurement, which `seconds` leaves out. `dvc` has the stages
    that DVC calls changed and what changed, None where it did not answer; then `dvc_error` says why.
    """

    folder: str
    all_jobs: int = 0
    running: str | None = None
    asked: list[Asked] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    plan: list[Planned] = field(default_factory=list)
    calls: list[Calls] = field(default_factory=list)
    cores: int = 1
    seconds: float | None = None
    unmeasured: list[str] = field(default_factory=list)
    dvc: dict[str, list[str]] | None = None
    dvc_error: str | None = None
    only_dvc: list[str] = field(default_factory=list)
    only_snakemake: list[str] = field(default_factory=list)

    @property
    def jobs(self) -> int:
        """How many jobs would run at most."""
        return sum(planned.jobs for planned in self.plan)


def main(arguments: Sequence[str]) -> None:
    """Shows the status of the working copy in the current folder and exits with 0, 3 or 1."""
    command = argparse.ArgumentParser(prog="sourcewise status", description=__doc__)
    command.add_argument("--json", action="store_true", help="for machines instead of people")
    command.add_argument(
        "--cores",
        type=int,
        default=len(os.sched_getaffinity(0)),
        help="cores that the forecast of time is for (default: all)",
    )
    command.add_argument(
        "--watch", action="store_true", help="only who is asked right now, drawn again until Ctrl-C"
    )
    options = command.parse_args(arguments)
    if options.cores < 1:
        command.error(f"--cores {options.cores}: give 1 or more")
    try:
        if options.watch:
            _watch()
        status = look(options.cores)
    except (StatusError, ValueError, OSError) as error:
        print(f"sourcewise status: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    if options.json:
        print(json.dumps({**dataclasses.asdict(status), "jobs": status.jobs}, indent=1))
    else:
        from sourcewise.dag import screen

        screen.show(status)
    raise SystemExit(STALE if status.plan else 0)


def _watch() -> NoReturn:
    from sourcewise.dag import at_work_screen

    _check_folder()
    with suppress(KeyboardInterrupt):
        at_work_screen.watch()
    raise SystemExit(0)


def _check_folder() -> None:
    for name in ("Snakefile", "dvc.yaml"):
        if not Path(name).exists():
            raise StatusError(
                f"{Path.cwd()} is no working copy: it has no {name}; go to the folder that has one"
            )


def look(cores: int) -> Status:
    """The status of the working copy in the current folder; raises StatusError, ParamsError."""
    _check_folder()
    params = load(Path("params.yaml"))
    dvc = subprocess.Popen(
        [sys.executable, "-m", "dvc", "status", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    status = Status(str(Path.cwd()), cores=cores)
    try:
        with _read() as workflow:
            status.running = holder()
            status.asked = at_work.look(params)
            _fill(status, workflow, params)
    except BaseException:
        dvc.kill()
        raise
    finally:
        out, err = dvc.communicate()
    _compare(status, out, err, dvc.returncode)
    return status


@contextmanager
def _read() -> Iterator[Any]:
    """A workflow with its DAG, as a dry run has it; raises StatusError with Snakemake's own message."""
    from snakemake.api import DAGSettings, OutputSettings, ResourceSettings, SnakemakeApi
    from snakemake.settings.types import Quietness

    quiet = OutputSettings(
        dryrun=True,
        quiet={Quietness.ALL},
        log_level_override=logging.ERROR,
        enable_file_logging=False,
        skip_plugin_handlers=True,
    )
    with SnakemakeApi(quiet) as api:
        try:
            reading = api.workflow(
                resource_settings=ResourceSettings(cores=1), snakefile=Path("Snakefile")
            )
            # What DAGSettings says stands in workflow/profiles/local, too.
            reading.dag(DAGSettings(force_incomplete=True, max_checksum_file_size=10_000_000))
            workflow: Any = reading._workflow
            workflow._prepare_dag(
                forceall=False, ignore_incomplete=False, lock_warn_only=True, nolock=True
            )
            workflow._build_dag()
        except Exception as error:
            api.print_exception(error)
            raise StatusError("the Snakefile cannot be read: see above") from None
        yield workflow


def _fill(status: Status, workflow: Any, params: Params) -> None:
    dag = workflow.dag
    files = workflow.globals["PIPELINE"].files
    owner = {file: stage for stage, names in files.items() for file in names}
    jobs = {job: owner[str(job.output[0])] for job in dag.jobs if job.output}
    stale = {job: stage for job, stage in jobs.items() if dag.needrun(job)}
    status.all_jobs = len(jobs)
    inquiry, causes, changed = Inquiry(workflow, files), Causes(), set()
    for job, stage in stale.items():
        changes = inquiry.ask(stage, job)
        causes.add(stage, changes)
        if any(change.kind in ("param", "code", "rule") for change in changes):
            changed.add(job)
    order = {stage: number for number, stage in enumerate([*files, ""])}
    status.causes = [
        Cause(change, sorted(stages, key=lambda stage: order.get(stage, len(order))))
        for change, stages in explained(causes, files).stages.items()
    ]
    reading = Reading(
        set(stale),
        {(j.rule.name, frozenset((k, str(v)) for k, v in j.wildcards.items())): j for j in jobs},
        {str(file): job for job in jobs for file in job.output},
        changed,
    )
    asks = Asks(reading, _room(workflow.globals["SHARDS"], params.sources))
    status.calls = asks.all()
    spent = hours.of_jobs(stale, jobs, asks.by_job)
    for stage in [stage for stage in files if stage in set(stale.values())]:
        mine = [job for job, where in stale.items() if where == stage]
        times = [spent[job] for job in mine if job in spent and hours.runs_a_stage(job)]
        rules = Counter(job.rule.name for job in mine)
        status.plan.append(Planned(stage, dict(rules), sum(times) if times else None))
    status.unmeasured = sorted({job.rule.name for job in stale if job not in spent})
    if any(map(hours.runs_a_stage, spent)):
        needs = {job: dag.dependencies[job].keys() for job in stale}
        every = {job: spent.get(job, 0.0) for job in stale}
        status.seconds = hours.makespan(every, needs, status.cores)


def _room(shards: Mapping[str, Any], sources: Mapping[str, Origin]) -> dict[str, int | None]:
    """The most queries that each shard can hold, None where only collecting them tells."""
    room: dict[str, int | None] = {}
    for name, shard in shards.items():
        sizes = [size(sources[source]) for source in shard.sources]
        known = sum(n for n in sizes if n is not None)
        room[name] = None if None in sizes else -(-known // shard.n)
    return room


def _compare(status: Status, out: str, err: str, code: int) -> None:
    """What DVC says, and where the two tools differ."""
    try:
        listed = json.loads(out)
    except ValueError:
        last = (err.strip() or f"`dvc status` ended with {code}").splitlines()
        status.dvc_error = next((line for line in last if line.startswith("ERROR")), last[-1])
        return
    status.dvc = {stage: list(_changes(entries)) for stage, entries in listed.items()}
    stale = {planned.stage for planned in status.plan}
    roots = {stage for cause in status.causes for stage in cause.stages if stage}
    if status.running:
        # What a run has made is committed when it ends.
        return
    status.only_dvc = sorted(set(status.dvc) - stale)
    # A stage that only follows another is clean for DVC until the other has run.
    status.only_snakemake = sorted(roots - set(status.dvc))


def _changes(entries: list[Any]) -> Iterator[str]:
    """What DVC says changed in a stage: paths and dotted keys."""
    for entry in entries:
        if isinstance(entry, str):
            yield entry
            continue
        for what in entry.values():
            if isinstance(what, str):
                yield what
                continue
            for path, how in what.items():
                yield from how if isinstance(how, dict) else [path]
