"""The seam between Snakemake and DVC: what a Snakefile calls when it is read and when a run ends."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sourcewise.dag import provenance
from sourcewise.dag.staleness import Declarations

STATE = Path(".snakemake/sourcewise")
TARGETS = STATE / "targets.json"


class BusyError(RuntimeError):
    """Another run is writing in this working copy."""


class Pipeline:
    """One reading of the Snakefile: declarations, the files of each DVC stage, the lock of a run."""

    def __init__(self, workflow: Any, declarations: Declarations) -> None:
        self._workflow, self._declarations = workflow, declarations
        self.files: dict[str, list[str]] = {}
        self._lock: Any = None

    def enter(self, domains: Callable[[dict[str, str]], dict[str, Iterable[str]]]) -> None:
        """Finds the files of each stage, takes the lock of a real run and adopts what DVC brought.

        `domains` maps the wildcards known so far to the values of the others. To be called after all
        rules are read.
        """
        self.files = _files(self._workflow, self._declarations.stages, domains)
        if not self._workflow.is_main_process:
            return
        if not self._workflow.dryrun:
            self._lock = _lock()
        STATE.mkdir(parents=True, exist_ok=True)
        TARGETS.write_text(json.dumps(self.files, indent=1))
        adopted = {stage: provenance.adopt(stage) for stage in self.files}
        if any(adopted.values()):
            stages = ", ".join(stage for stage, n in adopted.items() if n)
            print(
                f"adopted {sum(adopted.values())} records brought by DVC: {stages}", file=sys.stderr
            )

    def leave(self, *, complete: bool) -> None:
        """Writes the provenance of what this run touched; a complete run is committed to DVC.

        Under `dvc repro` DVC commits by itself.
        """
        made = {str(file) for job in self._workflow.dag.jobs for file in job.output}
        settled = []
        for stage, files in self.files.items():
            if made.intersection(files):
                provenance.export(stage, files)
                if complete and made.issuperset(files):
                    settled.append(stage)
        if complete and settled and "DVC_STAGE" not in os.environ:
            commit(settled)


def commit(stages: list[str]) -> None:
    """Records the outputs of stages in DVC's cache and dvc.lock; raises RuntimeError where DVC refuses."""
    start = time.monotonic()
    command = ["dvc", "commit", "--quiet", "--force", *stages]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(
            f"the run is complete, but DVC did not take it in: {result.stderr.strip()}\n"
            "mend that, then run `dvc commit --force`"
        )
    spent = time.monotonic() - start
    print(f"committed {len(stages)} stages to DVC in {spent:.0f} s", file=sys.stderr)


def target(stage: str) -> str:
    """The name of the Snakemake rule that makes a DVC stage."""
    return "stage_" + re.sub(r"\W", "_", stage)


def _files(
    workflow: Any,
    stages: Iterable[str],
    domains: Callable[[dict[str, str]], dict[str, Iterable[str]]],
) -> dict[str, list[str]]:
    """The output files of each DVC stage: the rules of its .smk file, all wildcards expanded.

    Stage `family@key` owns the rules of `family.smk`; `key` is the value of their first wildcard.
    """
    files: dict[str, list[str]] = {stage: [] for stage in stages}
    for rule in workflow.rules:
        family = Path(rule.snakefile).stem
        keyed = any(stage.startswith(f"{family}@") for stage in files)
        if not keyed and family not in files:
            continue
        for values in _assignments(sorted(rule.wildcard_names), {}, domains):
            stage = f"{family}@{values[KEYS[family]]}" if keyed else family
            files[stage] += [str(pattern.apply_wildcards(values)) for pattern in rule.output]
    return files


# The wildcard that names the DVC stage of a family's rules.
KEYS = {
    "model": "model",
    "benchmark_queries": "benchmark",
    "distill": "teacher",
    "dataset": "dataset",
    "train": "student",
    "benchmark": "student",
}


def _assignments(
    names: list[str],
    known: dict[str, str],
    domains: Callable[[dict[str, str]], dict[str, Iterable[str]]],
) -> Iterable[dict[str, str]]:
    """All values of wildcards; a domain may depend on the wildcards bound before it."""
    if not names:
        return [known]
    # A teacher decides on its attempts, a student on its benchmarks: keys are bound first.
    first = min(names, key=lambda name: (name not in KEYS.values() or name == "benchmark", name))
    rest = [name for name in names if name != first]
    values = domains(known)[first]
    return itertools.chain.from_iterable(
        _assignments(rest, {**known, first: str(value)}, domains) for value in values
    )


def _lock() -> Any:
    """The lock of a writing run; the kernel drops it when its process dies, however that happens."""
    STATE.mkdir(parents=True, exist_ok=True)
    file = (STATE / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise BusyError(
            f"another run works in this copy ({file.read().strip()}): wait for it, or stop it and "
            "run again"
        ) from None
    file.truncate(0)
    file.write(f"pid {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}")
    file.flush()
    # Whoever left these of Snakemake's own locks is dead, or the lock above would not be ours.
    for stale in Path(".snakemake/locks").glob("*.lock"):
        stale.unlink()
    return file


def main(stages: list[str]) -> None:
    """Writes the provenance of DVC stages after a Snakemake that had nothing to do."""
    files = json.loads(TARGETS.read_text())
    for stage in stages:
        provenance.export(stage, files[stage])


if __name__ == "__main__":
    main(sys.argv[1:])
