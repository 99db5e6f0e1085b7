"""What cleaning a corpus of benchmark items takes and finds: one table, each figure beside its peer or limit.

    .venvs/model/bin/python tests/bench/bench_queries.py [--rows 1890725] [--only stages|embedding] \\
        [--peer PYTHON] [--check]

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
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from statistics import median

import pyarrow.parquet as pq
import queries_embedding
from figure import Figure, print_table
from jobs import Spent, job, run
from make_corpus import DEFECTS, PAPER_ROWS, PART, PLANTED, make

from sourcewise.dag.shards import before, shards
from sourcewise.params.queries import Decontaminate, Source
from sourcewise.stages.decontaminate import copies
from sourcewise.tables import Contamination, Query, Reject, count, load, read, user_texts

WORDS = {"n": 13, "share": 0.6}
LAYERS = {"exact": True, "ngram": WORDS, "changed_numbers": WORDS, "embedding": None}
# Recall that the planted kinds must reach; spelled ones may be found by any layer.
RECALL = {"exact": 1.0, "spelled": 0.99, "part": 0.99, "changed_numbers": 0.95}
PRECISION, SECONDS, GROWTH_TIME, GROWTH_MEMORY = 0.999, 75, 11, 1.3
DECONTAMINATE_RATIO, CLEAN_RATIO, NEAR_RATIO = 50, 10, 2
NEAR = {"n": 5, "similarity": 0.8, "permutations": 128}
NEAR_SECONDS, NEAR_MEMORY, NEAR_RECALL = 900, 4, 0.99
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
# Rows per CPU-second by stage.
Peer = dict[str, float]
DATA = Path(__file__).resolve().parents[3] / "shared/data"


def _layers(folder: Path, peer: Peer) -> Figure:
    """The three layers alone on texts in memory, beside one layer of the peer."""
    items = list(read(folder / "benchmark.parquet", Query))
    path = next(iter(sorted((folder / "clean").glob("*.parquet"))))
    texts = user_texts(load(path, Query)["messages"]).to_pylist()
    layers = Decontaminate.model_validate(LAYERS)
    rates = []
    for _ in range(3):
        start = time.process_time()
        copies(texts, items, layers)
        rates.append(len(texts) / (time.process_time() - start))
    return _beside(
        "exact, 13-gram and changed numbers on texts in memory",
        median(rates),
        "13-gram filter",
        peer.get("decontaminate"),
        DECONTAMINATE_RATIO,
    )


def _asked(folder: Path, peer: str | None) -> Peer:
    """What `queries_peer.py` measures: documents per CPU-second by stage."""
    if peer is None:
        return {}
    said = subprocess.run(
        [peer, Path(__file__).with_name("queries_peer.py"), folder],
        check=True,
        capture_output=True,
        text=True,
    )
    measured = json.loads(said.stdout.splitlines()[-1])
    return {name: figures["per_cpu_second"] for name, figures in measured.items()}


def _beside(what: str, ours: float, blocks: str, theirs: float | None, least: float) -> Figure:
    """Our rows per CPU-second beside the peer's."""
    if theirs is None:
        said, ok = "no --peer", None
    else:
        said = f"datatrove's {blocks} {theirs:,.0f}, ratio {ours / theirs:.1f}"
        ok = ours / theirs >= least
    return Figure(f"{what}, rows per CPU-second", f"{ours:,.0f}", said, f"≥ {least} x", ok)


def figures(folder: Path, rows: int, python: str | None) -> Iterator[Figure]:
    """Times, memory, recall and precision of the stages that need no model."""
    peer = _asked(folder, python)
    yield _layers(folder, peer)
    parts = sorted(path.stem for path in (folder / "raw").glob("*.jsonl"))
    yield from _cleaning_beside(folder, parts, peer)
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
    yield from _near_duplicates(folder, rows, parts, peer)


def _cleaning_beside(folder: Path, parts: list[str], peer: Peer) -> Iterator[Figure]:
    """Jobs of collect and clean, files and their start included, beside blocks on documents in memory."""
    ours = _rows(folder, parts[:1]) / median(_clean(folder, parts[:1]).cpu for _ in range(3))
    yield _beside(
        "collect and clean of one part, whole jobs",
        ours,
        "URL, table, Gopher and FineWeb filters and exact dedup",
        peer.get("clean"),
        CLEAN_RATIO,
    )
    if peer:
        yield Figure(
            "— beside two patterns and exact dedup alone",
            f"{ours:,.0f}",
            f"datatrove's {peer['patterns']:,.0f}",
            "",
            None,
        )


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
                dropped=[],
                benchmarks=folder / "benchmark.parquet",
                decontaminate=json.dumps(LAYERS),
                out=out / f"{part}.parquet",
                rejects=out / f"{part}.rejects.parquet",
                evidence=out / f"{part}.contamination.parquet",
            )
            for part in parts
        ]
    )


def _rows(folder: Path, parts: list[str]) -> int:
    """How many rows the parts have without what `clean` drops."""
    return sum(count(folder / "clean" / f"{part}.parquet", Query) for part in parts)


def _near(folder: Path, parts: list[str]) -> Spent:
    """The one job of near_duplicates over all parts."""
    out = folder / "near"
    out.mkdir(exist_ok=True)
    return run(
        [
            job(
                "near_duplicates",
                queries=[folder / "clean" / f"{part}.parquet" for part in parts],
                near=json.dumps(NEAR),
                rejects=[out / f"{part}.parquet" for part in parts],
            )
        ]
    )


def _near_duplicates(folder: Path, rows: int, parts: list[str], peer: Peer) -> Iterator[Figure]:
    yield _beside(
        "near_duplicates of one part, the whole job",
        _rows(folder, parts[:1]) / median(_near(folder, parts[:1]).cpu for _ in range(3)),
        "MinHash, 14 buckets of 8",
        peer.get("near_duplicates"),
        NEAR_RATIO,
    )
    spent = _near(folder, parts)
    limit = NEAR_SECONDS * rows / PAPER_ROWS
    yield Figure(
        f"near_duplicates, {rows:,} rows, one job",
        f"{spent.seconds:.1f} s, {spent.peak:.2f} GiB",
        f"{rows / spent.cpu:,.0f} rows per CPU-second",
        f"≤ {limit:.0f} s, ≤ {NEAR_MEMORY} GiB",
        spent.seconds <= limit and spent.peak <= NEAR_MEMORY,
    )
    found = {
        one.query_id: one.value
        for path in (folder / "near").glob("*.parquet")
        for one in read(path, Reject)
    }
    planted = {
        row["query_id"]: row["item_id"]
        for row in pq.read_table(folder / "planted.parquet").to_pylist()
        if row["kind"] == "near_duplicate"
    }
    right = sum(planted[query] in found.get(query, "") for query in planted)
    yield Figure(
        f"planted, one word replaced: {len(planted):,}",
        f"{right / len(planted):.2%} found, with the query that they repeat",
        "",
        f"≥ {NEAR_RECALL:.0%}",
        right / len(planted) >= NEAR_RECALL,
    )
    others = len(found.keys() - planted.keys())
    yield Figure(
        "other rows taken for near-duplicates",
        f"{others:,}",
        f"{others / rows:.4%}",
        f"≤ {1 - PRECISION:.1%}",
        others / rows <= 1 - PRECISION,
    )


def _dropped(folder: Path, rows: int) -> Iterator[Figure]:
    """What `clean` drops, against the key.

    A planted row that is dropped for another reason counts: the duplicate of a row with a URL has
    nothing to be a duplicate of, and goes for the URL like its original.
    """
    drops: dict[str, Counter[str]] = defaultdict(Counter)
    for path in (folder / "cleaned").glob("*.dropped"):
        for one in read(path, Reject):
            drops[one.query_id][one.reason] += 1
    planted = [
        (row["query_id"], row["kind"])
        for row in pq.read_table(folder / "planted.parquet").to_pylist()
        if row["kind"] in DEFECTS
    ]
    for kind in DEFECTS:
        own = [query for query, planted_as in planted if planted_as == kind]
        reasons: Counter[str] = Counter()
        for query in own:
            # Rows of one identity are one another's duplicates; the reason they were planted for first.
            left = +drops[query]
            if left:
                reason = kind if kind in left else min(left)
                drops[query][reason] -= 1
                reasons[reason] += 1
        yield Figure(
            f"planted, {kind.replace('_', ' ')}: {len(own):,}",
            f"{reasons.total() / len(own):.2%} dropped",
            ", ".join(f"{reason} {n:,}" for reason, n in reasons.most_common()),
            "100 %",
            reasons.total() == len(own),
        )
    others = sum((+left for left in drops.values()), Counter[str]())
    yield Figure(
        "other rows that `clean` drops",
        f"{others.total():,}",
        f"{others.total() / rows:.4%}: {dict(others.most_common())}",
        "≤ 0.1 %",
        others.total() / rows <= 0.001,
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
    command.add_argument("--only", choices=("stages", "embedding"), default=None)
    command.add_argument("--peer", default=None)
    command.add_argument("--check", action="store_true")
    options = command.parse_args()
    parts = {
        "stages": lambda folder: figures(folder, options.rows, options.peer),
        "embedding": lambda folder: queries_embedding.figures(folder, options.rows, DATA),
    }
    # The embedding layer is measured on one part, and counted for all rows.
    rows = PART if options.only == "embedding" else options.rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, rows=rows, data=DATA)
        wanted = [parts[options.only]] if options.only else parts.values()
        return print_table(
            chain.from_iterable(part(folder) for part in wanted), check=options.check
        )


if __name__ == "__main__":
    sys.exit(main())
