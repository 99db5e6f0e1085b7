"""The seam between Snakemake and DVC: what a Snakefile calls when it is read and when a run ends."""

from __future__ import annotations

import atexit
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from sourcewise.dag import grouping, provenance, slurm_plugin
from sourcewise.dag.adoption import Adoption
from sourcewise.dag.calling_dvc import call
from sourcewise.dag.contents import Contents
from sourcewise.dag.cutoff import Cutoff
from sourcewise.dag.export import Export
from sourcewise.dag.running import full, holder, submits, submitted_all_ended, take
from sourcewise.dag.speed import ask_once, simplify
from sourcewise.dag.staleness import Declarations
from sourcewise.dag.targets import stage_files


class Pipeline:
    """One reading of the Snakefile: the files of each DVC stage, the lock of a run, what DVC is told."""

    def __init__(self, workflow: Any, declarations: Declarations, contents: Contents) -> None:
        self._workflow, self._declarations, self._contents = workflow, declarations, contents
        self.files: dict[str, list[str]] = {}
        self._lock: Any = None
        self._cutoff: Cutoff | None = None
        self._lost: dict[str, list[str]] = {}

    def enter(self, domains: Callable[[dict[str, str]], dict[str, Iterable[str]]]) -> None:
        """Finds the files of each stage, takes the lock of a real run and adopts what DVC brought.

        `domains` maps the wildcards known so far to the values of the others. To be called after all
        rules are read. Raises BusyError where another run writes.
        """
        ask_once()
        grouping.in_order()
        self.files = stage_files(self._workflow, self._declarations.stages, domains)
        if not self._workflow.is_main_process:
            return
        # `workflow.dryrun` is not known yet while the Snakefile is read.
        if not self._workflow.output_settings.dryrun:
            self._lock = take()
            atexit.register(self._settle)
        if self._lock is not None or holder() is None:
            self._adopt()

    def goals(self, last: str) -> list[str]:
        """What the rule `all` asks for: the stage `last`, what that does not read, and what is missing.

        Every file is asked for, since `last` reads the others; a missing one must be named, because
        Snakemake does not look for a file whose readers are up to date.
        """
        unread = [stage for stage in self.files if stage == last or stage.startswith("model@")]
        asked = [file for stage in unread for file in self.files[stage]]
        every = [file for files in self.files.values() for file in files]
        return list(dict.fromkeys([*asked, *(f for f in every if not os.path.exists(f))]))

    def start(self) -> None:
        """To be called when jobs are about to run: spares those whose inputs come out the same."""
        traces = {}
        for stage in self.files:
            traces.update(provenance.read(stage).traces)
        self._cutoff = Cutoff(self._workflow, traces, self._contents)
        scheduler = self._workflow.scheduler
        simplify(scheduler)
        # The Slurm plugin names all jobs of a run alike, to ask for their states at once.
        if name := getattr(scheduler._executor, "run_uuid", None):
            submits(name)
            slurm_plugin.mend(scheduler._executor)

    def leave(self, *, complete: bool) -> None:
        """Writes the provenance of what was made; a complete run is committed to DVC.

        Under `dvc repro` DVC commits by itself. Raises RuntimeError where DVC refuses.
        """
        if complete:
            submitted_all_ended()
        if not complete and full():
            # What is finished is recorded by the next run; `_settle` says what to do.
            return
        if self._cutoff is not None and self._cutoff.spared:
            n = len(self._cutoff.spared)
            _say(f"spared {n} jobs: their inputs came out the same as before")
        jobs: dict[str, Any] = {str(f): job for job in self._workflow.dag.jobs for f in job.output}
        owned = {
            stage: [file for file in files if file in jobs] for stage, files in self.files.items()
        }
        export = Export(self._workflow, self._declarations, self._contents)
        for stage, files in owned.items():
            if files:
                export.run(stage, self.files[stage], {file: jobs[file] for file in files})
        if complete and "DVC_STAGE" not in os.environ:
            whole = [stage for stage, files in owned.items() if files == self.files[stage]]
            # No job needs a ledger's answers now; DVC must not take their loss for a result.
            kept = [s for s in self._lost if not any(self._ran(jobs.get(f)) for f in self.files[s])]
            if kept:
                raise RuntimeError(
                    f"nothing is told to DVC while {', '.join(kept)} is torn (see above)"
                )
            commit(whole)

    def _ran(self, job: Any) -> bool:
        return job is not None and bool(self._workflow.dag.finished(job))

    def _settle(self) -> None:
        """After a run that found nothing to do: what an interrupted run could not tell DVC."""
        if complaint := full():
            # Neither the failed job could write its log, nor does Snakemake always get to `onerror`.
            _say(complaint)
            return
        scheduler, dag = self._workflow.scheduler, self._workflow.dag
        executed = scheduler is not None and dag is not None
        if not executed or self._cutoff is not None or any(dag.needrun_jobs()):
            return
        try:
            self.leave(complete=True)
        except RuntimeError as error:
            # Python ends with 0 whatever happens at its exit.
            _say(str(error))
            sys.stdout.flush()
            os._exit(1)

    def _adopt(self) -> None:
        start = time.monotonic()
        adoption = Adoption(self._contents)
        adoption.run(self.files)
        if adoption.adopted:
            n, stages = sum(adoption.adopted.values()), ", ".join(adoption.adopted)
            spent = time.monotonic() - start
            _say(f"adopted {n} records brought by DVC in {spent:.1f} s: {stages}")
        self._lost = adoption.lost
        for stage, files in adoption.lost.items():
            _say(
                f"{_some(files)}: missing or damaged; `dvc checkout --force {stage}` brings it back "
                f"(after `dvc pull {stage}`, if need be)"
            )
        for stage, files in adoption.unknown.items():
            _say(
                f"{_some(files)}: not what {provenance.sidecar(stage)} describes; counts as stale "
                f"(to bring back what it describes: `dvc checkout --force {stage}`)"
            )


def commit(stages: list[str]) -> None:
    """Records what changed of stages in DVC's cache and dvc.lock; raises RuntimeError where DVC refuses."""
    start = time.monotonic()
    dirty = json.loads(call("status", "--json", *stages)) if stages else {}
    changed = [stage for stage in stages if stage in dirty]
    if not changed:
        return
    call("commit", "--force", *changed)
    _say(f"committed {len(changed)} stages to DVC in {time.monotonic() - start:.0f} s")


def _some(files: list[str]) -> str:
    return files[0] + (f" and {len(files) - 1} more" if len(files) > 1 else "")


def _say(message: str) -> None:
    print(message, file=sys.stderr)
