"""Runs of the pipeline on the test Slurm, and what Slurm says about their jobs."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import NamedTuple

from disturbed import Run
from working_copy import Copy

PROFILE = Path("workflow/profiles/slurm-ci")
# A run that hangs has to end: only SIGKILL ends a Snakemake that waits for jobs it has forgotten.
LIMIT = "timeout -s KILL 1500"
ON_SLURM = f"{LIMIT} snakemake --profile {PROFILE}"


class Submitted(NamedTuple):
    """A job as Slurm knows it; `comment` names its rule and wildcards."""

    number: str
    state: str
    partition: str
    gpus: str
    node: str
    comment: str


def jobs(copy: Copy, rule: str = "", *, state: str = "") -> list[Submitted]:
    """The jobs of a working copy, also those that ended, in the order of their submission."""
    words = "%i|%T|%P|%b|%N|%k|%Z"
    listing = subprocess.run(
        ["squeue", "--noheader", "--states=all", "--sort=i", f"--format={words}"],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.strip().split("|") for line in listing.stdout.splitlines()]
    found = [Submitted(*row[:-1]) for row in rows if row[-1] == str(copy.folder)]
    return [job for job in found if rule in job.comment and state in ("", job.state)]


def use_accounts(copy: Copy, *, accounting: bool) -> None:
    """What a site says in the first block of the profile: whether Slurm keeps accounts."""
    if accounting:
        change_profile(copy, "status_command: squeue", "status_command: sacct")


def change_profile(copy: Copy, old: str, new: str) -> None:
    """Replaces a value in the first block of the profile."""
    path = copy.folder / PROFILE / "config.yaml"
    text = path.read_text()
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new))


def end(run: Run) -> None:
    """Waits for a run that must succeed."""
    assert run.process.wait(1500) == 0, run.words()


def kill_snakemake(copy: Copy) -> None:
    """Kills the Snakemake that works in a copy, by the process id that its lock names."""
    said = (copy.folder / ".snakemake/sourcewise/lock").read_text()
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(said.split()[1].rstrip(",")), signal.SIGKILL)
