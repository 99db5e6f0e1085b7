"""What Slurm costs: a preset on the test Slurm, against the same on this machine without it.

    .venvs/workflow/bin/python tests/bench/bench_cluster.py [--preset test] [--runs 1] [--check]

Needs root and Debian's Slurm (docs/slurm.md). Both runs have the same cores: local jobs share them with one
Snakemake, Slurm's with two more in every job. The limit is the local wall, 3 s for each job of the longest
chain, and for each the time until its end is asked after. `--check` exits with 1 where it is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from figure import Figure, print_table

ROOT = Path(__file__).resolve().parents[2]
PROFILE = Path("workflow/profiles/slurm-ci")
CLUSTER = [sys.executable, str(ROOT / "tests/slurm/cluster.py")]
SECONDS_A_JOB = 3.0
# A run that has lost its jobs ends by nothing else.
LIMIT = ["timeout", "-s", "KILL", "1800"]


def main() -> int:
    """Measures in pairs and prints the table."""
    command = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    command.add_argument("--preset", default="test")
    command.add_argument("--runs", type=int, default=1)
    command.add_argument("--check", action="store_true")
    given = command.parse_args()
    local, submitted = [], []
    # A Slurm that somebody else uses is refused here, not after the first local run.
    for word in ("start", "stop"):
        subprocess.run([*CLUSTER, word], check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as room:
        for number in range(given.runs):
            alone = copy(Path(room, f"local-{number}"), given.preset)
            local.append(timed(alone, ["snakemake", "--cores", str(os.cpu_count())]))
            there = copy(Path(room, f"slurm-{number}"), given.preset)
            with slurm():
                submitted.append(timed(there, [*LIMIT, "snakemake", "--profile", str(PROFILE)]))
        chain, jobs = longest_chain(copy(Path(room, "plan"), given.preset))
    return print_table(
        figures(local, submitted, chain, jobs), check=given.check, tools=("snakemake",)
    )


@contextlib.contextmanager
def slurm() -> Iterator[None]:
    """The test Slurm, which no test ends meanwhile."""
    with subprocess.Popen(
        [*CLUSTER, "hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as held:
        assert held.stdout is not None
        if not held.stdout.readline():
            raise RuntimeError("there is no test Slurm")
        yield


def figures(local: list[float], submitted: list[float], chain: int, jobs: int) -> list[Figure]:
    """The walls, and what the limit is made of."""
    text = (ROOT / PROFILE / "config.yaml").read_text()
    (asked,) = re.findall(r"^  seconds_between_questions: (\d+)", text, re.MULTILINE)
    here, there = (median(runs) for runs in (local, submitted))
    added = chain * (SECONDS_A_JOB + int(asked))
    limit = f"≤ {here + added:.0f} s = {here:.0f} + {chain} × ({SECONDS_A_JOB:.0f} + {asked}) s"
    a_job, most = f"{(there - here) / chain:.1f} s", f"≤ {added / chain:.0f} s"
    return [
        Figure("jobs, and those of the longest chain", f"{jobs}, {chain}", "", "counted", None),
        Figure("wall, local", f"{here:.0f} s", "", "", None),
        Figure("wall, test Slurm", f"{there:.0f} s", f"{here:.0f} s", limit, there <= here + added),
        Figure("added for each job of the chain", a_job, "", most, None),
    ]


def copy(folder: Path, preset: str) -> Path:
    """A new working copy."""
    preset_file = ROOT / f"workflow/presets/{preset}.yaml"
    make = [sys.executable, "-m", "sourcewise.dag.workspace", str(folder), str(preset_file)]
    subprocess.run(make, check=True, cwd=ROOT)
    return folder


def environment(folder: Path) -> dict[str, str]:
    own = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return {**os.environ, **own, "PYTHONPATH": str(folder / "workflow")}


def timed(folder: Path, command: list[str]) -> float:
    """Seconds of a run of everything from nothing; raises RuntimeError where it fails."""
    before = time.monotonic()
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return time.monotonic() - before


def longest_chain(folder: Path) -> tuple[int, int]:
    """How many jobs have to follow one another, and how many there are; target rules left out."""
    graph = subprocess.run(
        ["snakemake", "--dag"],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    jobs = set(re.findall(r'^\s*(\d+)\[label = "(?!all)', graph, re.MULTILINE))
    after = defaultdict(list)
    for first, then in re.findall(r"^\s*(\d+) -> (\d+)", graph, re.MULTILINE):
        if {first, then} <= jobs:
            after[first].append(then)
    length: dict[str, int] = {}

    def measure(job: str) -> int:
        if job not in length:
            length[job] = 1 + max((measure(then) for then in after[job]), default=0)
        return length[job]

    return max(map(measure, jobs)), len(jobs)


if __name__ == "__main__":
    raise SystemExit(main())
