"""How a run calls DVC, so that a kill in the middle leaves a dvc.lock that both tools can read.

DVC writes dvc.lock and its table of readers and writers over the old ones; killed in that moment it leaves
half a file, at which every later command of DVC stops. Our own calls replace dvc.lock in one step. What
somebody's killed `dvc repro` left in halves is mended when the next run begins.
"""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

LOCK_FILE, TABLE = Path("dvc.lock"), Path(".dvc/tmp/rwlock")
KEPT, PARTIAL = Path(".snakemake/sourcewise/dvc.lock"), "dvc.lock.partial"
# A file that somebody writes at this moment is looked at again.
PAUSES = (0.5, 0.5, 0.0)


def call(*arguments: str) -> str:
    """What a command of DVC says; waits where another one works; raises RuntimeError where it refuses."""
    command = [sys.executable, "-m", "sourcewise.dag.calling_dvc", "--wait-for-lock", *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(
            f"the run is complete, but DVC did not take it in: {result.stderr.strip()}\n"
            "mend that, then run `snakemake` again: it has nothing to do but this"
        )
    return result.stdout


def mend() -> list[str]:
    """Repairs what a killed DVC left in halves; returns what was done, a sentence each.

    To be called by a run that holds the lock of its working copy, before DVC is asked.
    """
    done = []
    if not _lasting(TABLE, json.loads):
        TABLE.unlink(missing_ok=True)
        done.append(f"{TABLE} was cut short by a kill: removed")
    if LOCK_FILE.exists() and not (KEPT.exists() and filecmp.cmp(LOCK_FILE, KEPT, shallow=False)):
        if _lasting(LOCK_FILE, _readable):
            shutil.copyfile(LOCK_FILE, KEPT)
        elif KEPT.exists():
            _replace(KEPT.read_text(encoding="utf-8"))
            done.append(f"{LOCK_FILE} was cut short by a kill: as it was before the run")
        else:
            raise RuntimeError(
                f"{LOCK_FILE} cannot be read, perhaps cut short by a kill: bring it back by "
                f"`git checkout {LOCK_FILE}` (or delete it), then run again"
            )
    return done


def _lasting(path: Path, parse: Any) -> bool:
    """Whether a file is whole, or not there; one that is being written is looked at again."""
    for pause in PAUSES:
        try:
            parse(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return True
        except ValueError:
            time.sleep(pause)
        else:
            return True
    return False


def _readable(text: str) -> None:
    """Raises ValueError where DVC could not read a text as its dvc.lock."""
    try:
        for stage in yaml.load(text, yaml.CSafeLoader)["stages"].values():
            for entry in (*stage.get("deps", ()), *stage.get("outs", ())):
                entry["path"], entry[entry["hash"]]
            for params in stage.get("params", {}).values():
                dict(params)
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no dvc.lock: {error!r}") from None
    if not text.endswith("\n"):
        raise ValueError("the last line has no end")


def _replace(text: str) -> None:
    partial = KEPT.with_name(PARTIAL)
    partial.write_text(text, encoding="utf-8")
    partial.replace(LOCK_FILE)


def main() -> int:
    """DVC's own command line; a YAML file that it writes appears by rename, and once a command."""
    from dvc.cli import main as dvc

    _write_whole()
    _take_together()
    return int(dvc(sys.argv[1:]) or 0)


def _write_whole() -> None:
    from dvc.utils.serialize import _common, _yaml

    dump = _common._dump_data

    def whole(path: Any, data: Any, dumper: Any, fs: Any = None, **options: Any) -> None:
        partial = KEPT.with_name(f"{PARTIAL}-{os.getpid()}")
        dump(partial, data, dumper, fs, **options)
        partial.replace(path)

    _common._dump_data = _yaml._dump_data = whole


def _take_together() -> None:
    # `dvc commit` looks up each target by reading everything, and then reads and writes all of dvc.lock for
    # it: a second a stage at 60 stages. Here its targets are names of stages, looked up and written at once.
    from dvc.commands.commit import CmdCommit
    from dvc.repo.stage import StageInfo, StageLoad

    run, collect = CmdCommit.run, StageLoad.collect_granular

    def together(command: Any) -> int:
        command.args.targets = [" ".join(command.args.targets)]
        return int(run(command))

    def several(load: Any, target: str | None = None, *given: Any, **options: Any) -> Any:
        if not target:
            return collect(load, target, *given, **options)
        known = {stage.addressing: [StageInfo(stage)] for stage in load.repo.index.stages}
        names = target.split(" ")
        return [
            info
            for name in names
            for info in known.get(name) or collect(load, name, *given, **options)
        ]

    CmdCommit.run, StageLoad.collect_granular = together, several


if __name__ == "__main__":
    sys.exit(main())
