"""How long a reader of the trace browser waits at a million attempts, beside the limit.

    .venvs/workflow/bin/python tests/bench/bench_view.py [--attempts 1000000] [--copy FOLDER] [--check]

The server is the command's own, in a process of its own; each figure is the median of five requests over HTTP,
page and all, after one that warms the disk's cache. `--check` exits with 1 where one is over the limit.
`--copy` keeps the made working copy, or takes it where it is there already.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from figure import Figure, print_table
from make_attempts import NEEDLE, TEACHERS, make

from sourcewise.view.catalogue import catalogue

LIMIT, MEMORY, TIMES = 1.0, 2.5, 5
# What a reader asks: the address, and a sign that the page must hold.
ASKED = {
    "the first page": ("/", "and more behind them"),
    "words that many queries hold": ("/?text=ba", "and more behind them"),
    "words in the very last query only": (f"/?text={NEEDLE.split()[0]}", "1 query."),
    "words that no query holds": ("/?text=nowhere+at+all", "No query is like that"),
    "a category": ("/?category=code", "and more behind them"),
    "a status of one teacher": ("/?teacher=gamma&status=timeout", "and more behind them"),
    "a status that no attempt has": ("/?status=memory", "No query is like that"),
    "accepted by some, not by others": ("/?accepted=split", "and more behind them"),
    "accepted by none: nearly all looked at": ("/?accepted=none", "queries|1 query"),
    "the first 12 digits of a query_id": ("/?text={id:.12}", "1 query."),
    "a query with all attempts": ("/query/{id}", "Attempt 1"),
    "the next query": ("/next?after={shard}:{id}", "Attempt 1"),
}


def figures(copy: Path, attempts: int) -> Iterator[Figure]:
    """Seconds until a page is there, and what the server held in memory."""
    shard = catalogue(copy).shards[-1]
    with serving(copy) as (url, process):
        last = re.findall(r"/query/([0-9a-f]{32})", page(f"{url}?after={shard}:{'8' * 32}"))[0]
        for what, (target, sign) in ASKED.items():
            target = target.format(id=last, shard=shard)
            address = f"{url.rstrip('/')}{target}"
            first, used = wait(address, sign), cpu_seconds(process.pid)
            waited = [wait(address, sign) for _ in range(TIMES)]
            seconds, used = median(waited), (cpu_seconds(process.pid) - used) / TIMES
            beside = (
                f"first time {first:.2f} s, slowest {max(waited):.2f} s; {used:.2f} s of CPU each"
            )
            yield Figure(what, f"{seconds:.2f} s", beside, f"≤ {LIMIT:g} s", seconds <= LIMIT)
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 2**20
        beside = f"{attempts:,} attempts of {len(TEACHERS)} teachers"
        yield Figure(
            "peak memory of the server", f"{peak:.2f} GiB", beside, f"≤ {MEMORY:g} GiB",
            peak <= MEMORY,
        )  # fmt: skip


@contextmanager
def serving(copy: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The command itself, on a free port."""
    command = [sys.executable, "-m", "sourcewise", "view", str(copy), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[0], process
    finally:
        process.terminate()
        process.wait()


def cpu_seconds(pid: int) -> float:
    """What a process has used so far: on a busy machine pages wait for a processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait(address: str, sign: str) -> float:
    """Seconds until the whole page is there; raises SystemExit where it is another."""
    start = time.monotonic()
    content = page(address)
    seconds = time.monotonic() - start
    if not re.search(sign, content):
        raise SystemExit(f"bench_view: {address} does not say {sign!r}\n{content[-2000:]}")
    return seconds


def page(address: str) -> str:
    with urllib.request.urlopen(address) as answer:
        return answer.read().decode()


def main() -> int:
    """Makes the copy, asks, prints the table."""
    command = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    command.add_argument("--attempts", type=int, default=1_000_000)
    command.add_argument("--copy", type=Path)
    command.add_argument("--check", action="store_true")
    given = command.parse_args()
    with tempfile.TemporaryDirectory() as room:
        copy = given.copy or Path(room)
        counted = copy / "attempts.txt"
        if not counted.is_file():
            counted.parent.mkdir(parents=True, exist_ok=True)
            counted.write_text(str(make(copy, given.attempts)))
        asked = figures(copy, int(counted.read_text()))
        return print_table(asked, check=given.check, tools=["duckdb"])


if __name__ == "__main__":
    sys.exit(main())
