"""Slurm jobs that outlive their run: the next run of the working copy cancels them and waits for their end.

A Snakemake that is killed outright leaves its jobs with Slurm, waiting ones too, which would write where
the next run's jobs write. What they have done so far is in a ledger or a checkpoint, so ending them loses
nothing. A run's jobs bear one name, which it notes down before it submits any.
"""

from __future__ import annotations

import getpass
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

# A killed job gets time to end by itself (KillWait), and its node to clean up after it.
PATIENCE_SECONDS = 600.0


def note(file: Path, name: str) -> None:
    """Notes down the name of the jobs that a run is about to submit."""
    with file.open("a") as names:
        names.write(f"{name}\n")
        names.flush()
        os.fsync(names.fileno())


def end(file: Path) -> list[str]:
    """Cancels the jobs of the runs that a file names, and waits for their end; returns their ids.

    To be called by a run that holds the lock of its working copy. Raises RuntimeError where Slurm does not
    answer or a job does not end.
    """
    if not file.exists():
        return []
    names = sorted(set(file.read_text().split()))
    ended = left = _jobs(file, names)
    limit = time.monotonic() + PATIENCE_SECONDS
    while left:
        if time.monotonic() > limit:
            raise RuntimeError(
                f"the Slurm jobs {', '.join(left)} of a run that was killed do not end: look at them "
                "(`scontrol show job ID`), then run again"
            )
        # Once more each time: a job that was between two states may have missed it.
        _ask(file, "scancel", *left)
        time.sleep(1)
        left = _jobs(file, names)
    file.unlink()
    return ended


def _jobs(file: Path, names: Sequence[str]) -> list[str]:
    """The jobs of this working copy that wait, run or are about to end."""
    options = (f"--user={getpass.getuser()}", f"--name={','.join(names)}", "--format=%i|%Z")
    lines = _ask(file, "squeue", "--noheader", *options).splitlines()
    jobs = [line.strip().partition("|") for line in lines if line.strip()]
    return [job for job, _, folder in jobs if is_here(folder)]


def is_here(folder: str) -> bool:
    """Whether a job's folder is this working copy; a copy of it has the names, too, and writes elsewhere."""
    return Path(folder).resolve() == Path.cwd().resolve()


def _ask(file: Path, *command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        said, failed = done.stderr.strip(), done.returncode != 0
    except (OSError, subprocess.TimeoutExpired) as error:
        said, failed = str(error), True
    # scancel complains about a job that ended meanwhile; squeue is asked again in any case.
    if failed and command[0] != "scancel":
        raise RuntimeError(
            f"Slurm jobs of a run that was killed may still write in this copy, and {command[0]} fails "
            f"({said}): run again where Slurm answers; where no such job can be left, delete {file}"
        )
    return "" if failed else done.stdout
