"""What the DAG itself costs: preset `paper` with bodies that only write their outputs.

    .venvs/workflow/bin/python tests/bench/bench_dag.py [--sizes 8 118 360] [--runs 3] [--check] [--cpu]

Snakemake, DVC, Snakefile and dvc.yaml are the real ones; three teachers, 29 jobs a shard and 162
for all. A size is a number of shards: 118 are 1.89 million queries of 16,000. `--check` exits with 1 where a
limit at 118 is missed.
Beside the time by the clock stands the time of processor: on a busy machine the one that says something.

Scheduler overhead a job = time from the first to the last output of a run from nothing / jobs - time of a
job's command without Snakemake, as many at once. Building the graph, provenance and `dvc commit` are outside
of it; they are inside of its processor time, except for the graph.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

from paper_copy import Copy, Spent, commit, create, plan, processor

CORES = 2
FULL = 118
RUN = f"snakemake --profile workflow/profiles/local --cores {CORES} --quiet rules progress"
COMMANDS = 300

# Seconds at 118 shards; rows without a limit are there to explain the others.
LIMITS: dict[str, float | None] = {
    "snakemake -n, everything to do": None,
    "snakemake -n, nothing to do": 8.0,
    "snakemake -n, a filter changed": 5.0,
    "dvc status, clean": 2.5,
    "adopt after dvc pull": 3.0,
    "scheduler overhead a job": 0.020,
    "full run, last output to end": None,
    "full run": None,
}


@dataclass
class Size:
    """The figures of one number of shards."""

    shards: int
    jobs: int = 0
    rows: dict[str, list[Spent]] = field(default_factory=dict)

    def wall(self, row: str) -> float:
        """The median by the clock."""
        return median(spent.wall for spent in self.rows[row])

    def cpu(self, row: str) -> float:
        """The median of processor time."""
        return median(spent.cpu for spent in self.rows[row])

    def judged(self, row: str, cpu: bool) -> float:
        """The figure that is held against the limit."""
        return self.cpu(row) if cpu else self.wall(row)


def measure(room: Path, shards: int, runs: int) -> Size:
    """All figures of one size; `room` is an empty folder."""
    size = Size(shards)
    copy = create(room, shards)
    output, spent = copy.call("snakemake -n")
    files = plan(room / "planned", output)
    size.jobs = output.count("\n    jobid: ")
    size.rows["snakemake -n, everything to do"] = [spent]
    started = time.time()
    _, spent = copy.call(RUN)
    first, last = _span(copy, files)
    size.rows["full run"] = [spent]
    size.rows["full run, last output to end"] = [Spent(started + spent.wall - last, 0.0)]
    nothing = "Nothing to be done"
    rows = size.rows
    rows["snakemake -n, nothing to do"] = [
        copy.expect("snakemake -n", nothing) for _ in range(runs)
    ]
    copy.edit("max_count: 20", "max_count: 19")
    changed = [copy.expect("snakemake -n", "Params have changed") for _ in range(runs)]
    copy.edit("max_count: 19", "max_count: 20")
    rows["snakemake -n, a filter changed"] = changed
    rows["dvc status, clean"] = [copy.expect("dvc status", "up to date") for _ in range(runs)]
    _share(copy)
    rows["adopt after dvc pull"] = [_adopt(copy, room / f"clone-{n}") for n in range(runs)]
    # Last, because it writes the outputs again.
    body = _bodies(copy)
    graph = rows["snakemake -n, everything to do"][0].cpu
    rows["scheduler overhead a job"] = [
        Spent(
            (last - first) / size.jobs - body.wall,
            (rows["full run"][0].cpu - graph) / size.jobs - body.cpu,
        )
    ]
    return size


def _span(copy: Copy, files: list[str]) -> tuple[float, float]:
    """When the first and the last output was written."""
    times = [(copy.folder / file).stat().st_mtime for file in files]
    return min(times), max(times)


def _bodies(copy: Copy) -> Spent:
    """What a job's command takes without Snakemake, as many at once as there are cores."""
    records = [
        json.loads(path.read_text())
        for path in (copy.folder / ".snakemake/metadata").rglob("*")
        if path.is_file()
    ]
    commands = sorted({str(record["shellcmd"]) for record in records if record.get("shellcmd")})
    chosen = random.Random(1).sample(commands, min(COMMANDS, len(commands)))

    def run(command: str) -> None:
        # As Snakemake calls it.
        shell = ["bash", "-c", f"set -euo pipefail; {command}"]
        subprocess.run(shell, cwd=copy.folder, env=copy.environment(), check=True)

    before, start = processor(), time.monotonic()
    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(run, chosen))
    wall, cpu = time.monotonic() - start, processor() - before
    return Spent(wall / len(chosen), cpu / len(chosen))


def _share(copy: Copy) -> None:
    remote = copy.folder.parent / "remote"
    copy.call(f"dvc remote add --local -d shared {remote} && dvc push -q")
    commit(copy)


def _adopt(copy: Copy, folder: Path) -> Spent:
    """What the first reading of the Snakefile in a clone that pulled says of itself."""
    copy.call(f"git clone -q . {folder}")
    clone, remote = Copy(folder), copy.folder.parent / "remote"
    clone.call("dvc config --local core.analytics false")
    clone.call(f"dvc remote add --local -d shared {remote} && dvc pull -q")
    output, first = clone.call("snakemake -n")
    said = re.search(r"adopted \d+ records .* in ([\d.]+) s", output)
    if said is None or "Nothing to be done" not in output:
        raise SystemExit(f"bench_dag: the clone {folder} has something to do\n{output[-4000:]}")
    _, second = clone.call("snakemake -n")
    shutil.rmtree(folder)
    return Spent(float(said[1]), first.cpu - second.cpu)


def table(sizes: list[Size], cpu: bool) -> list[str]:
    """The figures as lines: a column per size, the limit and our share of it, the growth."""
    head = "".join(f"{f'{size.shards} shards':>26}" for size in sizes)
    jobs = "".join(f"{size.jobs:>26,}" for size in sizes)
    lines = [f"{'':32}{head}{'limit':>10}{'ratio':>7}  growth", f"{'jobs':32}{jobs}"]
    small, large = sizes[0], sizes[-1]
    for row, limit in LIMITS.items():
        cells = "".join(f"{_cell(size, row):>26}" for size in sizes)
        line = f"{row:32}{cells}"
        full = [size for size in sizes if size.shards == FULL]
        if limit is not None:
            line += f"{_seconds(limit):>10}"
            line += f"{full[0].judged(row, cpu) / limit:7.2f}" if full else " " * 7
        else:
            line += " " * 17
        if large.jobs > small.jobs:
            times = large.judged(row, cpu) / max(small.judged(row, cpu), 1e-4)
            line += f"  x {times:.1f} for x {large.jobs / small.jobs:.1f} jobs"
        lines.append(line)
    return lines


def missed(sizes: list[Size], cpu: bool) -> list[str]:
    """The rows whose limit is missed at full size."""
    return [
        f"{row}: {_seconds(size.judged(row, cpu))}, limit {_seconds(limit)}"
        for size in sizes
        if size.shards == FULL
        for row, limit in LIMITS.items()
        if limit is not None and size.judged(row, cpu) > limit
    ]


def _speed() -> float:
    """Seconds of ten million additions in Python: what tells one machine's table from another's."""
    start, total = time.process_time(), 0
    for number in range(10_000_000):
        total += number
    return time.process_time() - start


def _cell(size: Size, row: str) -> str:
    cpu = size.cpu(row)
    return _seconds(size.wall(row)) + (f" ({_seconds(cpu)} CPU)" if cpu else "")


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds:.2f} s"


def main() -> None:
    """Measures, prints, and with --check judges."""
    parser = argparse.ArgumentParser(description="What the DAG itself costs.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, FULL, 360], metavar="SHARDS")
    parser.add_argument("--runs", type=int, default=3, help="of what only reads; one full run")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a limit is missed")
    parser.add_argument(
        "--cpu", action="store_true", help="judge processor time: for busy machines"
    )
    parser.add_argument("--folder", type=Path, help="work here and keep it; must not exist")
    given = parser.parse_args()
    if given.check and FULL not in given.sizes:
        parser.error(f"--check judges the figures at {FULL} shards: add it to --sizes")
    versions = ", ".join(f"{name} {version(name)}" for name in ("snakemake", "dvc"))
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before, Python "
        f"{platform.python_version()}, {versions}; medians of {given.runs}, full run once, "
        f"--cores {CORES}; ten million additions in {_speed():.2f} s",
        flush=True,
    )
    room = given.folder or Path(tempfile.mkdtemp(prefix="bench_dag-"))
    sizes = []
    try:
        for shards in sorted(given.sizes):
            sizes.append(measure(room / str(shards), shards, given.runs))
            print(f"measured {shards} shards, load {os.getloadavg()[0]:.1f}", flush=True)
    finally:
        if given.folder is None:
            shutil.rmtree(room, ignore_errors=True)
    print(*table(sizes, given.cpu), sep="\n")
    wrong = missed(sizes, given.cpu)
    for line in wrong:
        print(f"missed: {line}")
    if given.check and wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
