"""Who writes in this working copy: one run at a time, known by its process and start."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError

from sourcewise import orphans, slurm_jobs
from sourcewise.dag import calling_dvc

LOCK = Path(".snakemake/sourcewise/lock")
SUBMITTED = LOCK.with_name("slurm_jobs")


# What Snakemake, a log and a sidecar need to say that something went wrong.
LEAST_BYTES = 1 << 20


class BusyError(WorkflowError):
    """Another run is writing in this working copy."""


class FullError(WorkflowError):
    """The disk of this working copy has no room for a run."""


def full() -> str | None:
    """What to do about a full disk; None where there is room."""
    free = shutil.disk_usage(".").free
    if free >= LEAST_BYTES:
        return None
    return (
        f"the disk of this working copy is full ({free:,} bytes left): make room, then run again; "
        "what is finished stays"
    )


def take() -> Any:
    """The lock of a writing run; the kernel drops it when its process dies, however that happens.

    Raises BusyError where another run holds it, FullError where there is no room.
    """
    if complaint := full():
        raise FullError(complaint)
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    file = LOCK.open("a+")
    for patience in range(10, -1, -1):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            # Who only looks (`holder`) is gone at once; who writes needs a moment to say who it is.
            if patience:
                time.sleep(0.1)
                continue
            raise BusyError(
                f"another run works in this copy ({LOCK.read_text().strip()}): wait for it, or stop "
                "it and run again"
            ) from None
    file.truncate(0)
    file.write(
        f"pid {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S')} on {socket.gethostname()}"
    )
    file.flush()
    # Whoever left jobs and Snakemake's own locks is dead, or the lock above would not be ours.
    try:
        cancelled = slurm_jobs.end(SUBMITTED)
        ended = orphans.end(LOCK.with_name("jobs"))
    except RuntimeError as error:
        raise BusyError(str(error)) from None
    for left, what in ((cancelled, "cancelled {} Slurm jobs"), (ended, "ended {} jobs")):
        if left:
            print(f"{what.format(len(left))} of a run that was killed", file=sys.stderr)
    for mended in calling_dvc.mend():
        print(mended, file=sys.stderr)
    for stale in Path(".snakemake/locks").glob("*.lock"):
        stale.unlink()
    return file


def submits(name: str) -> None:
    """To be called before a run submits jobs to Slurm, with the name that all of them bear."""
    slurm_jobs.note(SUBMITTED, name)


def submitted_all_ended() -> None:
    """To be called when a run ends by itself: Slurm need not be asked about its jobs."""
    SUBMITTED.unlink(missing_ok=True)


def holder() -> str | None:
    """Who writes in this working copy right now: pid and start; None where nobody does."""
    if not LOCK.exists():
        return None
    with LOCK.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read().strip()
    return None
