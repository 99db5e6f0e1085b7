"""Runs of the pipeline on the test Slurm, and what Slurm says about their jobs."""

import contextlib
import itertools
import os
import signal
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from disturbed import Run
from working_copy import Copy

PROFILE = Path("workflow/profiles/slurm-ci")
# A run that hangs has to end: only SIGKILL ends a Snakemake that waits for jobs it has forgotten.
LIMIT = "timeout -s KILL 1500"
ON_SLURM = f"{LIMIT} snakemake --profile {PROFILE}"
# Each shard of the first round, by a teacher behind a server.
FIRST_ROUND = [
    Path(f"data/distill/words/round-1/words-{shard:04}.responses.parquet") for shard in (0, 1)
]

# What squeue is asked for, and how many characters it gives each.
FIELDS = {"JobID": 12, "State": 20, "Partition": 20, "tres-per-job": 20, "tres-per-node": 20}
FIELDS |= {"NodeList": 20, "Comment": 200, "WorkDir": 500}


class Submitted(NamedTuple):
    """A job as Slurm knows it; `comment` names its rule and wildcards."""

    number: str
    state: str
    partition: str
    gpus: bool
    node: str
    comment: str


def jobs(copy: Copy, rule: str = "", *, state: str = "") -> list[Submitted]:
    """The jobs of a working copy, also those that ended, in the order of their submission."""
    fields = ",".join(f"{name}:{width}" for name, width in FIELDS.items())
    listing = subprocess.run(
        ["squeue", "--noheader", "--states=all", "--sort=i", f"--Format={fields}"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = []
    for line in listing.stdout.splitlines():
        words = iter(line)
        cells = ["".join(itertools.islice(words, width)).strip() for width in FIELDS.values()]
        number, word, partition, in_all, on_each, node, comment, folder = cells
        job = Submitted(number, word, partition, "gpu" in in_all + on_each, node, comment)
        if folder == str(copy.folder) and rule in comment and state in ("", word):
            found.append(job)
    return found


def script(job: Submitted) -> str:
    """What a job was told to run."""
    command = ["scontrol", "write", "batch_script", job.number, "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def digest(copy: Copy, file: Path) -> str:
    """The digest of a file of a working copy."""
    return sha256((copy.folder / file).read_bytes()).hexdigest()


def use_accounts(copy: Copy, *, accounting: bool) -> None:
    """What a site says in the first block of the profile: whether Slurm keeps accounts."""
    if accounting:
        change_profile(copy, "status_command: squeue", "status_command: sacct")


def change_profile(
    copy: Copy, old: str, new: str, file: str | Path = PROFILE / "config.yaml"
) -> None:
    """Replaces a value in the first block of the profile, or of another one."""
    path = copy.folder / file
    text = path.read_text()
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new))


def end(run: Run) -> None:
    """Waits for a run that must succeed."""
    assert run.process.wait(1500) == 0, run.words()


def kill_snakemake(copy: Copy) -> None:
    """Kills the Snakemake that works in a copy, by the process id that its lock names."""
    said = (copy.folder / ".snakemake/sourcewise/lock").read_text()
    pid = int(said.split()[1].rstrip(","))
    # The lock of a run that ended names a process that may be anybody's by now.
    with contextlib.suppress(OSError):
        if Path(f"/proc/{pid}/cwd").readlink() == copy.folder:
            os.kill(pid, signal.SIGKILL)
