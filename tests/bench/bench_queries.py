"""What cleaning a corpus of benchmark items takes and finds: one table, each figure beside its peer or limit.

    .venvs/model/bin/python tests/bench/bench_queries.py [--rows 1890725] [--peer PYTHON] [--check]

Everything runs as the pipeline's jobs do, a process a source or shard, two at a time. `--check` exits with 1
where a target is missed; the seconds of the targets are for 1,890,725 rows and are scaled to `--rows`.
`--peer` is the Python of an environment with datatrove (`queries_peer.py` says how to make it).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pyarrow.parquet as pq
from figure import Figure, print_table
from jobs import Spent, job, run
from make_corpus import DEFECTS, PAPER_ROWS, PLANTED, make

from sourcewise.dag.shards import before, shards
from sourcewise.params.queries import Decontaminate, Source
from sourcewise.stages.decontaminate import copies
from sourcewise.tables import Contamination, Query, Reject, count, load, read, user_texts

WORDS = {"n": 13, "share": 0.6}
LAYERS = {"exact": True, "ngram": WORDS, "changed_numbers": WORDS, "embedding": None}
# Recall that the planted kinds must reach; spelled ones may be found by any layer.
RECALL = {"exact": 1.0, "spelled": 0.99, "part": 0.99, "changed_numbers": 0.95}
PRECISION, SECONDS, GROWTH_TIME, GROWTH_MEMORY = 0.999, 75, 11, 1.3
PEER_RATIO = 50
# The paper draws on about as many.
SOURCES = 20
ORIGIN = {
    "category": "math",
    "licence": "CC0-1.0",
    "columns": {"prompt": "prompt", "reference": "answer"},
}
CLEAN = {
    "min_chars": 5,
    "max_chars": 20_000,
    "max_odd_character_ratio": 0.1,
    "drop_incomplete": True,
    "drop_urls": True,
    "drop_tables": True,
    "drop_bad_references": False,
}
DATA = Path(__file__).resolve().parents[3] / "shared/data"


def _layers(folder: Path, peer: str | None) -> Figure:
    """The three layers alone on texts in memory, beside one layer of the peer."""
    items = list(read(folder / "benchmark.parquet", Query))
    path = next(iter(sorted((folder / "clean").glob("*.parquet"))))
    texts = user_texts(load(path, Query)["messages"])
    layers = Decontaminate.model_validate(LAYERS)
    rates = []
    for _ in range(3):
        start = time.process_time()
        copies(texts, items, layers)
        rates.append(len(texts) / (time.process_time() - start))
    ours = median(rates)
    what = "exact, 13-gram and changed numbers on texts in memory, rows per CPU-second"
    if peer is None:
        return Figure(what, f"{ours:,.0f}", "no --peer", f"≥ {PEER_RATIO} x datatrove", None)
    said = subprocess.run(
        [peer, Path(__file__).with_name("queries_peer.py"), folder],
        check=True,
        capture_output=True,
        text=True,
    )
    theirs = json.loads(said.stdout.splitlines()[-1])["per_cpu_second"]
    return Figure(
        what,
        f"{ours:,.0f}",
        f"datatrove's 13-gram filter {theirs:,.0f}, ratio {ours / theirs:.0f}",
        f"≥ {PEER_RATIO} x",
        ours / theirs >= PEER_RATIO,
    )


def figures(folder: Path, rows: int, peer: str | None) -> Iterator[Figure]:
    """Times, memory, recall and precision of collect and clean, and of the layers that need no model."""
    yield _layers(folder, peer)
    parts = sorted(path.stem for path in (folder / "raw").glob("*.jsonl"))
    limit = SECONDS * rows / PAPER_ROWS
    for what, work, most in (
        ("collect and clean with exact dedup", _clean, 3.0),
        ("decontaminate by exact, 13-gram and changed numbers", _decontaminate, 2.0),
    ):
        tenth = work(folder, parts[:: 10 if len(parts) >= 10 else 1])
        spent = work(folder, parts)
        yield Figure(
            f"{what}, {rows:,} rows in {len(parts)} shards, two jobs at a time",
            f"{spent.seconds:.1f} s",
            f"{rows / spent.cpu:,.0f} rows per CPU-second, start of the jobs included",
            f"≤ {limit:.1f} s",
            spent.seconds <= limit,
        )
        peak = spent.peak
        yield Figure(
            "— peak memory of a job", f"{peak:.2f} GiB", "", f"≤ {most:.0f} GiB", peak <= most
        )
        if len(parts) >= 10:
            time, memory = spent.seconds / tenth.seconds, peak / tenth.peak
            yield Figure(
                "— ten times the rows",
                f"{time:.1f} times as long, {memory:.2f} times the memory",
                "",
                f"≤ {GROWTH_TIME}, ≤ {GROWTH_MEMORY}",
                time <= GROWTH_TIME and memory <= GROWTH_MEMORY,
            )
    yield from _dropped(folder, rows)
    yield from _found(folder)


def _clean(folder: Path, parts: list[str]) -> Spent:
    """Collects the parts as up to 20 sources and cleans them in shards of about a part."""
    out = folder / "cleaned"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    groups = {f"s{n:02}": parts[n::SOURCES] for n in range(min(SOURCES, len(parts)))}
    sources, collects = {}, []
    for name, group in groups.items():
        files = [str(folder / "raw" / f"{part}.jsonl") for part in group]
        origin = json.dumps(ORIGIN | {"files": files})
        sources[name] = Source.model_validate_json(
            json.dumps(ORIGIN | {"files": files, "shards": len(group)})
        )
        tables = {"out": out / f"{name}.collected", "rejects": out / f"{name}.rejects"}
        collects.append(job("collect", name=name, seed=1, planted=[], origin=origin, **tables))
    spent = [run(collects)]
    known = shards(sources)
    for name in groups:
        cleans = [
            job(
                "clean",
                collected=out / f"{name}.collected",
                before=[out / f"{other}.kept" for other in before(shard, known)],
                number=shard.number,
                shards=shard.n,
                clean=json.dumps(CLEAN),
                judged="false",
                out=out / f"{shard.name}.parquet",
                kept=out / f"{shard.name}.kept",
                rejects=out / f"{shard.name}.dropped",
            )
            for shard in known.values()
            if shard.sources == (name,)
        ]
        spent.append(run(cleans))
    seconds, cpu, peaks = zip(*spent, strict=True)
    return Spent(sum(seconds), sum(cpu), max(peaks))


def _decontaminate(folder: Path, parts: list[str]) -> Spent:
    out = folder / "corpus"
    out.mkdir(exist_ok=True)
    return run(
        [
            job(
                "decontaminate",
                queries=folder / "clean" / f"{part}.parquet",
                near=[],
                benchmarks=folder / "benchmark.parquet",
                decontaminate=json.dumps(LAYERS),
                out=out / f"{part}.parquet",
                rejects=out / f"{part}.rejects.parquet",
                evidence=out / f"{part}.contamination.parquet",
            )
            for part in parts
        ]
    )


def _dropped(folder: Path, rows: int) -> Iterator[Figure]:
    """What `clean` drops, against the key."""
    reasons = Counter(
        (one.query_id, one.reason)
        for path in (folder / "cleaned").glob("*.dropped")
        for one in read(path, Reject)
    )
    planted = Counter(
        (row["query_id"], row["kind"])
        for row in pq.read_table(folder / "planted.parquet").to_pylist()
        if row["kind"] in DEFECTS
    )
    met = reasons & planted
    for kind in DEFECTS:
        n, found = (
            sum(entries[one] for one in entries if one[1] == kind) for entries in (planted, met)
        )
        yield Figure(
            f"planted, {kind.replace('_', ' ')}: {n:,}",
            f"{found / n:.2%} dropped",
            "",
            "100 %",
            found == n,
        )
    wrong = (reasons - planted).total()
    yield Figure(
        "other rows that `clean` drops",
        f"{wrong:,}",
        f"{wrong / rows:.4%}",
        "≤ 0.1 %",
        wrong / rows <= 0.001,
    )


def _found(folder: Path) -> Iterator[Figure]:
    planted = [
        row
        for row in pq.read_table(folder / "planted.parquet").to_pylist()
        if row["kind"] in PLANTED
    ]
    total = sum(count(path, Query) for path in (folder / "clean").glob("*.parquet"))
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
    clean = total - len(planted)
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
    command.add_argument("--peer", default=None)
    command.add_argument("--check", action="store_true")
    options = command.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), rows=options.rows, data=DATA)
        return print_table(figures(Path(folder), options.rows, options.peer), check=options.check)


if __name__ == "__main__":
    sys.exit(main())
