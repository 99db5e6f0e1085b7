"""What cleaning a corpus of benchmark items takes and finds: one table, each figure beside its peer or limit.

    .venvs/model/bin/python tests/bench/bench_queries.py [--rows 1890725] [--check]

Decontamination runs as the pipeline's jobs do, a process a shard, two at a time. `--check` exits with 1
where a target is missed; the seconds of the targets are for 1,890,725 rows and are scaled to `--rows`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
from figure import Figure
from make_corpus import PAPER_ROWS, PLANTED, make

from sourcewise.tables import Contamination, read

HEAD = "| what | figure | beside it | target | met |\n|---|---|---|---|---|"
MET = {True: "yes", False: "**no**", None: ""}
WORDS = {"n": 13, "share": 0.6}
LAYERS = {"exact": True, "ngram": WORDS, "changed_numbers": WORDS, "embedding": None}
# Recall that the planted kinds must reach; spelled ones may be found by any layer.
RECALL = {"exact": 1.0, "spelled": 0.99, "part": 0.99, "changed_numbers": 0.95}
PRECISION, SECONDS, GIB, GROWTH_TIME, GROWTH_MEMORY = 0.999, 75, 2, 11, 1.3
DATA = Path(__file__).resolve().parents[3] / "shared/data"


def figures(folder: Path, rows: int) -> Iterator[Figure]:
    """Times, memory, recall and precision of the layers that need no model, on a corpus and a tenth of it."""
    small = _decontaminate(folder, part=10)
    seconds, cpu, peak = _decontaminate(folder, part=1)
    limit = SECONDS * rows / PAPER_ROWS
    shards = len(list((folder / "clean").glob("*.parquet")))
    yield Figure(
        f"decontaminate {rows:,} rows by exact, 13-gram and changed numbers, {shards} jobs, two at a time",
        f"{seconds:.1f} s",
        f"{rows / cpu:,.0f} rows per CPU-second, start of the jobs included",
        f"≤ {limit:.1f} s",
        seconds <= limit,
    )
    yield Figure(
        "the same, peak memory of a job", f"{peak:.2f} GiB", "", f"≤ {GIB} GiB", peak <= GIB
    )
    if shards >= 10:
        growth = seconds / small[0]
        yield Figure(
            "ten times the rows",
            f"{growth:.1f} times as long",
            "",
            f"≤ {GROWTH_TIME}",
            growth <= GROWTH_TIME,
        )
        memory = peak / small[2]
        yield Figure(
            "ten times the rows",
            f"{memory:.2f} times the memory",
            "",
            f"≤ {GROWTH_MEMORY}",
            memory <= GROWTH_MEMORY,
        )
    yield from _found(folder, rows)


def _decontaminate(folder: Path, *, part: int) -> tuple[float, float, float]:
    """Seconds by the clock and of processor, and the peak memory of a job in GiB, of each `part`-th shard."""
    shards = sorted((folder / "clean").glob("*.parquet"))[::part]
    (folder / "corpus").mkdir(exist_ok=True)

    def job(shard: Path) -> tuple[float, float]:
        out = folder / "corpus" / shard.stem
        command = [sys.executable, "-m", "sourcewise", "decontaminate", "--queries", str(shard)]
        command += ["--benchmarks", str(folder / "benchmark.parquet")]
        command += ["--decontaminate", json.dumps(LAYERS), "--out", f"{out}.parquet"]
        command += [
            "--rejects",
            f"{out}.rejects.parquet",
            "--evidence",
            f"{out}.contamination.parquet",
        ]
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, code, used = os.wait4(running.pid, 0)
        if code:
            raise SystemExit(f"bench_queries: decontaminate ended with {code}")
        return used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20

    start = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        spent = list(pool.map(job, shards))
    return time.perf_counter() - start, sum(cpu for cpu, _ in spent), max(peak for _, peak in spent)


def _found(folder: Path, rows: int) -> Iterator[Figure]:
    planted = pq.read_table(folder / "planted.parquet").to_pylist()
    evidence = {
        one.query_id: one.layer
        for path in (folder / "corpus").glob("*.contamination.parquet")
        for one in read(path, Contamination)
    }
    for kind in PLANTED:
        queries = {row["query_id"] for row in planted if row["kind"] == kind}
        layers = Counter(evidence[query] for query in queries if query in evidence)
        recall = layers.total() / len(queries)
        yield Figure(
            f"planted, {kind.replace('_', ' ')}: {len(queries):,}",
            f"{recall:.2%} found",
            ", ".join(f"{layer} {n}" for layer, n in sorted(layers.items())),
            f"≥ {RECALL[kind]:.0%}",
            recall >= RECALL[kind],
        )
    wrong = len(evidence.keys() - {row["query_id"] for row in planted})
    clean = rows - len(planted)
    yield Figure(
        f"the rest, {clean:,} rows",
        f"{wrong:,} taken along",
        f"{1 - wrong / clean:.4%} stay",
        f"≥ {PRECISION:.1%}",
        1 - wrong / clean >= PRECISION,
    )


def main() -> int:
    """Prints the table as it grows; 1 where `--check` finds a missed target."""
    command = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    command.add_argument("--rows", type=int, default=PAPER_ROWS)
    command.add_argument("--check", action="store_true")
    options = command.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before, "
        f"Python {platform.python_version()}\n\n{HEAD}",
        flush=True,
    )
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), rows=options.rows, data=DATA)
        for one in figures(Path(folder), options.rows):
            print(
                f"| {one.what} | {one.ours} | {one.peer} | {one.target} | {MET[one.ok]} |",
                flush=True,
            )
            if one.ok is False:
                missed.append(one.what)
    if missed:
        print(f"\nmissed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
