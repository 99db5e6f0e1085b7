"""Replicas as Slurm jobs: submitted, asked after and cancelled."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

# Slurm's programs wait for a controller that is away, each for a while; nobody waits longer.
SECONDS = 60.0
ENDED = "COMPLETED"
# No fault of the server's: it is started again without being counted.
TAKEN = ("TIMEOUT", "PREEMPTED", "NODE_FAIL", "BOOT_FAIL", "CANCELLED", "REVOKED")
FAULTY = ("FAILED", "OUT_OF_MEMORY", "DEADLINE")


class AwayError(RuntimeError):
    """The controller does not answer: what it was asked for may be asked again later."""


@dataclass
class Job:
    """A replica that is a Slurm job, known as ended when it is no longer queued or running."""

    identity: str
    ended: int | None = None

    def stop(self) -> None:
        """Cancels it, whatever it does."""
        _run("scancel", self.identity)


def submit(
    name: str, command: Sequence[str], *, options: str, drain_seconds: float, log: Path
) -> Job:
    """Submits a replica; raises RuntimeError with sbatch's words, AwayError where nobody answered."""
    # The shell of the batch script becomes the replica, which USR1 reaches before the time limit. The
    # comment has the form of the plugin's, so that accounts know what these jobs were for.
    answer = _run(
        *("sbatch", "--parsable", f"--job-name=sourcewise-serve-{name}"),
        *("--comment", f"rule_serve_wildcards_{name}"),
        *(f"--output={log}", "--open-mode=append", "--no-requeue"),
        f"--signal=B:USR1@{int(drain_seconds) + 60}",
        *shlex.split(options),
        f"--wrap=exec {shlex.join(command)}",
    )
    if answer.returncode:
        refused = f"sbatch refused {name}: {answer.stderr.strip()}"
        raise RuntimeError(refused) if _answers() else AwayError(refused)
    return Job(answer.stdout.strip().partition(";")[0])


def look(jobs: Sequence[Job]) -> None:
    """Asks Slurm which jobs are left; where it does not answer, they are taken to be."""
    asked = ",".join(job.identity for job in jobs)
    listed = _run("squeue", "--noheader", "--states=all", "--format=%i %T", f"--jobs={asked}")
    if listed.returncode and "Invalid job id" not in listed.stderr:
        return
    states = dict(line.split(maxsplit=1) for line in listed.stdout.splitlines() if line.strip())
    for job in jobs:
        # One that Slurm has forgotten ended long ago.
        state = states.get(job.identity, ENDED).strip()
        if state == ENDED or state in TAKEN:
            job.ended = 0
        elif state in FAULTY:
            job.ended = 1


def cancel_waiting(jobs: Iterable[Job]) -> None:
    """Cancels those that have not begun."""
    if waiting := [job.identity for job in jobs]:
        _run("scancel", "--state=PENDING", *waiting)


def _answers() -> bool:
    return _run("scontrol", "ping").returncode == 0


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer within {SECONDS:g} s")
