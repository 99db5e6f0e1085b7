"""The ledger: appends, an index of a million attempts, and a run again that lacks nothing.

Texts are solutions from GSM8K's model answers where they lie beside the project, else generated words; either
is cut to 8 KB. The 1.89 million attempts of the last part hold a short text but for the shard that is run
again: what a job reads of the others are their directories, which are of the same size whatever the texts are.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from figure import Figure

from sourcewise.ledger import Ledger, Record, attempt_key, attempt_seed
from sourcewise.params.distill import Teacher
from sourcewise.stages.generate import identity_of, weights_of_teacher
from sourcewise.tables import Message, Query, Response, count, write
from sourcewise.text import query_id

SOLUTIONS = Path(__file__).parents[3] / "shared/data/gsm8k/example_model_solutions.jsonl"
TEXT_BYTES, TEXTS, BATCH = 8192, 4000, 256
ATTEMPTS = 1_000_000
SHARDS, SHARD = 118, 16_000
SEED = 7
RECORD = Record("", "q" * 32, 1, "", "stop", 2000, 90, 7, "vllm 0.32.0", "main", "2026-01-01")
TEACHER = {
    "engine": "server",
    "model": "synthetic",
    "revision": "main",
    "system": None,
    "sampling": {"temperature": 0.6, "top_p": 0.95, "max_tokens": 32768},
    "wrap": {"rule": "after_think"},
}


def figures() -> Iterator[Figure]:
    """Each in a folder of its own, which is removed."""
    texts = _texts()
    yield _appends(texts)
    yield from _index(texts)
    yield from _again(texts)


def _texts() -> list[str]:
    draw = random.Random(SEED)
    if SOLUTIONS.exists():
        rows = [json.loads(line) for line in SOLUTIONS.open()]
        pieces = [row["question"] + row["175b_verification"]["solution"] for row in rows]
    else:
        pieces = [" ".join(draw.choices("abcdefghijklmnop", k=60)) for _ in range(1000)]
    made = []
    for _ in range(TEXTS):
        text = ""
        while len(text.encode()) < TEXT_BYTES:
            text += draw.choice(pieces)
        made.append(text[:TEXT_BYTES])
    return made


def _records(texts: list[str], n: int) -> Iterator[list[Record]]:
    for start in range(0, n, BATCH):
        yield [
            replace(RECORD, key=f"{number:032x}", text=texts[number % TEXTS])
            for number in range(start, min(n, start + BATCH))
        ]


def _appends(texts: list[str]) -> Figure:
    """Beside it stands what the disk takes without us: the same bytes, as often made safe."""
    rates, limits = [], []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            batches = list(_records(texts, 20_000))
            start = time.perf_counter()
            with Ledger(Path(folder)).writer("0000") as writer:
                for batch in batches:
                    writer.append(batch)
            rates.append(20_000 / (time.perf_counter() - start))
            size = (Path(folder) / "0000.ledger").stat().st_size
            limits.append(20_000 / _bare(Path(folder) / "bare", size // len(batches), len(batches)))
    ours, limit = median(rates), median(limits)
    return Figure(
        f"ledger, appends of 8 KB in batches of {BATCH}, each made safe by fsync",
        f"{ours:,.0f}/s",
        f"the disk alone {limit:,.0f}/s, ratio {ours / limit:.2f}",
        "≥ 20,000/s",
        ours >= 20_000,
    )


def _bare(path: Path, size: int, n: int) -> float:
    content = random.Random(SEED).randbytes(size)
    start = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for _ in range(n):
            file.write(content)
            os.fsync(file)
    return time.perf_counter() - start


INDEX = """
import resource, sys, time
from pathlib import Path
from sourcewise.ledger import Ledger
keys = [f"{n:032x}" for n in range(int(sys.argv[2]))]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
with Ledger(Path(sys.argv[1])).writer("0000"):
    found = Ledger(Path(sys.argv[1])).get(keys)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, len(found))
"""


def _index(texts: list[str]) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        with Ledger(Path(folder)).writer("0000") as writer:
            for batch in _records(texts, ATTEMPTS):
                writer.append(batch)
        size = (Path(folder) / "0000.ledger").stat().st_size
        seconds, peak, n = _measured(INDEX, folder, str(ATTEMPTS)).split()
    if int(n) != ATTEMPTS:
        raise SystemExit(f"bench_generate: {n} of {ATTEMPTS} attempts were found")
    stored = (
        f"{size / 2**30:.1f} GiB, {ATTEMPTS * TEXT_BYTES / size:.1f} times smaller than the texts"
    )
    ok = float(seconds) <= 10
    yield Figure(
        "ledger, reopen, index and check 1 M attempts",
        f"{float(seconds):.1f} s",
        stored,
        "≤ 10 s",
        ok,
    )
    gib = int(peak) / 2**20
    yield Figure("the same, peak memory", f"{gib:.2f} GiB", "", "≤ 1.5 GiB", gib <= 1.5)


def _measured(script: str, *arguments: str) -> str:
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _again(texts: list[str]) -> Iterator[Figure]:
    """`sourcewise generate` on three shards of a whole corpus whose every attempt is there."""
    teacher = Teacher.model_validate(TEACHER)
    identity = identity_of(teacher, weights_of_teacher(teacher))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measured = [0, SHARDS // 2, SHARDS - 1]
        for shard in range(SHARDS):
            queries = [_query(shard * SHARD + number) for number in range(SHARD)]
            if shard in measured:
                write(folder / f"{shard:04}.parquet", Query, queries)
            with Ledger(folder / "ledger").writer(f"{shard:04}") as writer:
                for start in range(0, SHARD, 1000):
                    part = queries[start : start + 1000]
                    writer.append(
                        _answer(identity, query, texts[n % TEXTS] if shard in measured else "short")
                        for n, query in enumerate(part)
                    )
        spent = [_generate(folder, f"{shard:04}") for shard in measured]
    wall, cpu = (median(one[place] for one in spent) for place in (0, 1))
    yield Figure(
        f"run again, a shard of {SHARD:,} whose attempts are all there, ledger of {SHARDS * SHARD:,}",
        f"{wall:.2f} s, no engine started",
        f"{cpu:.2f} s of CPU",
        "≤ 2 s",
        wall <= 2,
    )


def _query(number: int) -> Query:
    messages = [Message("user", f"What is {number} plus {number * 7919 % 10007}?")]
    return Query(query_id(messages), "synthetic", "math", messages, "{}", "CC0-1.0")


def _answer(identity: str, query: Query, text: str) -> Record:
    seed = attempt_seed(SEED, query.query_id, 1)
    key = attempt_key(identity, query.query_id, 1, seed)
    return replace(RECORD, key=key, query_id=query.query_id, seed=seed, text=text)


def _generate(folder: Path, shard: str) -> tuple[float, float]:
    """Seconds by the clock and of processor; an engine could not start, since no server has an address."""
    arguments = {
        "name": "synthetic",
        "teacher": json.dumps(TEACHER),
        "seed": str(SEED),
        "attempt": "1",
        "stop-score": "null",
        "futility": "null",
        "queries": str(folder / f"{shard}.parquet"),
        "ledger": str(folder / "ledger"),
        "out": str(folder / f"{shard}.responses.parquet"),
    }
    command = [sys.executable, "-m", "sourcewise", "generate", "--verdicts"]
    command += [word for name, value in arguments.items() for word in (f"--{name}", value)]
    environment = {k: v for k, v in os.environ.items() if k != "SOURCEWISE_SERVER_URLS"}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, env=environment, capture_output=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if count(folder / f"{shard}.responses.parquet", Response) != SHARD:
        raise SystemExit("bench_generate: the table lacks responses")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
