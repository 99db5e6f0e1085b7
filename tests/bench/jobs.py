"""Stages as the pipeline runs them, a process each, and what they took."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple


class Spent(NamedTuple):
    """Seconds by the clock and of processor, and the peak memory of a job in GiB."""

    seconds: float
    cpu: float
    peak: float


def run(jobs: Sequence[Sequence[str]]) -> Spent:
    """Runs the jobs, two at a time."""

    def one(arguments: Sequence[str]) -> tuple[float, float]:
        command = [sys.executable, "-m", "sourcewise", *arguments]
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, code, used = os.wait4(running.pid, 0)
        if code:
            raise SystemExit(f"exit status {code} of {shlex.join(command)}")
        return used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20

    start = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        spent = list(pool.map(one, jobs))
    return Spent(
        time.perf_counter() - start, sum(cpu for cpu, _ in spent), max(peak for _, peak in spent)
    )


def job(stage: str, **options: object) -> list[str]:
    """The arguments of a stage; a list is given as several values."""
    words = [stage]
    for name, value in options.items():
        values = value if isinstance(value, list) else [value]
        words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return words
