"""A finished run of the paper's size for the report's bench: corpus, attempts, datasets, students.

Laid out as the stages write it: shards of 16,000 queries, row groups of 2,048, sorted by query_id. A query
has a difficulty that all teachers share; texts are drawn from a pool, since the report reads few of them.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import yaml

from sourcewise.tables import (
    Contamination,
    Erratum,
    Example,
    Perplexity,
    Query,
    Reject,
    Response,
    Verdict,
    schema,
    store,
)

SHARD, ROUNDS, STOP = 16_000, 4, 0.9
# Log-odds of a pass at a query of middle difficulty.
TEACHERS = {"am_thinking_v1": 1.6, "qwen3_235b_a22b": 1.2, "deepseek_r1": 0.9}
CATEGORIES = ("math", "code", "science", "instruction", "dialogue")
SOURCES = tuple(f"source_{number}" for number in range(16))
# Questions and samples of the paper's benchmarks; LiveCodeBench's window holds about as many.
BENCHMARKS = {
    "aime24": (30, 64),
    "aime25": (30, 64),
    "math500": (500, 4),
    "livecodebench": (167, 16),
}
STEPS, POOL = 6_500, 4_096

Columns = dict[str, Any]


class Shard(NamedTuple):
    """The queries of a shard: identities in order, categories, difficulties in logits."""

    name: str
    ids: npt.NDArray[np.object_]
    categories: npt.NDArray[np.object_]
    difficulty: npt.NDArray[np.float64]


def make(folder: Path, rows: int) -> int:
    """Writes a run with at least this many queries; returns how many there are."""
    data, pool = folder / "data", _pool()
    shards = [_shard(number) for number in range(-(-rows // SHARD))]
    _corpus(data / "queries", shards)
    for teacher, skill in TEACHERS.items():
        accepted = [_distil(data, teacher, skill, shard, pool) for shard in shards]
        _dataset(data / "datasets" / teacher, teacher, accepted, pool)
        _json(
            data / f"distill/{teacher}/manifest.json",
            {"teacher": teacher, "attempts": ROUNDS, "shards": [shard.name for shard in shards]},
        )
        _student(data, teacher, skill)
    for benchmark, (questions, _) in BENCHMARKS.items():
        _errata(data / f"benchmark_queries/{benchmark}/errata.parquet", questions // 40)
    (folder / "sections.json").write_text(json.dumps(sections()))
    return SHARD * len(shards)


def sections() -> dict[str, Any]:
    """What the stage is called with: the sections of the preset `paper` for these teachers and students."""
    preset = Path(__file__).resolve().parents[2] / "workflow/presets/paper.yaml"
    params = yaml.safe_load(preset.read_text(encoding="utf-8"))
    named = {"distill", "teachers", "seed", "report"}
    found = {name: params[name] for name in named}
    for name in ("datasets", "students"):
        found[name] = {key: params[name][key] for key in TEACHERS}
    found["benchmarks"] = {name: params["benchmarks"][name] for name in BENCHMARKS}
    experiments = params["report"]["experiments"].items()
    found["report"] = params["report"] | {
        "experiments": {name: one for name, one in experiments if {*one["arms"]} <= {*TEACHERS}}
    }
    others = ("models", "sources", "clean", "decontaminate", "verifiers", "perplexity", "filters")
    return found | {"others": {name: params[name] for name in (*others, "train", "sampling")}}


def _pool() -> pa.Array:
    rng = random.Random("pool")
    known = [
        "".join(rng.choices("abcdefghijklmnopqrstuvw", k=rng.randint(2, 9))) for _ in range(4000)
    ]
    texts = (" ".join(rng.choices(known, k=rng.randint(50, 150))) for _ in range(POOL))
    return pa.array([f"<think>{text}</think><answer>4</answer>" for text in texts])


def _shard(number: int) -> Shard:
    name = f"{SOURCES[number % len(SOURCES)]}-{number:04}"
    rng = np.random.default_rng(number)
    ids = sorted(hashlib.sha256(f"{name}/{n}".encode()).hexdigest()[:32] for n in range(SHARD))
    # A source is of one category, as in the presets.
    category = CATEGORIES[number % len(SOURCES) % len(CATEGORIES)]
    categories = np.full(SHARD, category, dtype=object)
    return Shard(name, np.array(ids, dtype=object), categories, rng.normal(0.0, 2.0, SHARD))


def _corpus(folder: Path, shards: list[Shard]) -> None:
    for shard in shards:
        source = shard.name.rpartition("-")[0]
        asked = [[{"role": "user", "content": f"What is {one}?"}] for one in shard.ids]
        columns = _same(SHARD, source=source, reference="", licence="CC0")
        columns |= {"query_id": shard.ids, "category": shard.categories, "messages": asked}
        _store(folder / f"corpus/{shard.name}.parquet", Query, columns)
        _rejects(folder / f"clean/{shard.name}.rejects.parquet", source, "clean", shard.ids[:1500])
        gone = shard.ids[:100]
        _rejects(folder / f"corpus/{shard.name}.rejects.parquet", source, "decontaminate", gone)
        evidence = _same(len(gone), source=source, benchmark="math500", item_id="7", layer="ngram")
        evidence |= {"query_id": gone, "score": np.linspace(0.6, 1.0, len(gone))}
        evidence |= {"query_text": gone, "item_text": gone}
        _store(folder / f"corpus/{shard.name}.contamination.parquet", Contamination, evidence)
    sources = sorted({shard.name.rpartition("-")[0] for shard in shards})
    for source in sources:
        own = [shard for shard in shards if shard.name.rpartition("-")[0] == source]
        ids = np.concatenate([one.ids for one in own])
        columns = _same(len(ids), source=source, reference="", licence="CC0", category="math")
        columns |= {"query_id": ids, "messages": [[] for _ in ids]}
        _store(folder / f"collected/{source}.parquet", Query, columns)
        _rejects(folder / f"collected/{source}.rejects.parquet", source, "collect", ids[:100])
    _json(folder / "manifest.json", {"shards": [one.name for one in shards], "sources": sources})


def _distil(data: Path, teacher: str, skill: float, shard: Shard, pool: pa.Array) -> Columns:
    """The rounds of a shard; returns the columns of its accepted attempts."""
    rng = np.random.default_rng(
        int(hashlib.sha256(f"{teacher}/{shard.name}".encode()).hexdigest()[:8], 16)
    )
    folder, left, taken = data / f"distill/{teacher}", np.arange(SHARD), []
    for attempt in range(1, ROUNDS + 1):
        logits = skill - shard.difficulty[left]
        passed = rng.random(len(left)) < 1 / (1 + np.exp(-logits))
        tokens = np.exp(rng.normal(7.6 - 0.25 * logits, 0.7)).astype(np.int64).clip(20, 32_768)
        cut = tokens == 32_768
        passed &= ~cut
        ids, n = shard.ids[left], len(left)
        text = pool.take(pa.array(rng.integers(0, POOL, n)))
        same = _same(
            n, attempt=attempt, teacher=teacher, n_prompt_tokens=60, seed=1, engine="vllm 1"
        )
        made = {"finish_reason": np.where(cut, "length", "stop"), "n_tokens": tokens, "text": text}
        columns = same | {"query_id": ids, "revision": ["main"] * n} | made
        _store(folder / f"round-{attempt}/{shard.name}.responses.parquet", Response, columns)
        lost = rng.choice(["no_answer", "timeout", "infrastructure"], n, p=[0.8, 0.15, 0.05])
        scored = passed | (rng.random(n) < 0.8)
        status = np.where(cut, "truncated", np.where(scored, "scored", lost))
        score = pa.array(passed.astype(np.float64), mask=status != "scored")
        columns = _same(
            n, attempt=attempt, detail="said 4", verifier="math", verifier_version="1", facts=""
        )
        columns |= {"query_id": ids, "status": status, "score": score}
        _store(folder / f"round-{attempt}/{shard.name}.verdicts.parquet", Verdict, columns)
        taken.append(
            {
                "place": left[passed],
                "attempt": np.full(passed.sum(), attempt),
                "n_tokens": tokens[passed],
            }
        )
        left = left[~passed]
    accepted = {key: np.concatenate([one[key] for one in taken]) for key in taken[0]}
    order = np.argsort(accepted["place"])
    accepted = {key: column[order] for key, column in accepted.items()}
    place = accepted.pop("place")
    accepted |= {"query_id": shard.ids[place], "category": shard.categories[place]}
    accepted["perplexity"] = 1 + np.exp(rng.normal(0.3, 0.6, len(place)))
    columns = {key: accepted[key] for key in ("query_id", "attempt", "perplexity", "n_tokens")}
    _store(
        folder / f"perplexity/{shard.name}.parquet",
        Perplexity,
        columns | _same(len(place), scorer="32b"),
    )
    return accepted


def _dataset(folder: Path, teacher: str, accepted: list[Columns], pool: pa.Array) -> None:
    def part(columns: Columns) -> Columns:
        n = len(columns["query_id"])
        turns = [
            [{"role": "assistant", "content": text}]
            for text in pool.take(pa.array(np.arange(n) % POOL)).to_pylist()
        ]
        return columns | _same(n, teacher=teacher, score=1.0) | {"messages": turns}

    store(folder / "examples.parquet", Example, (_table(Example, part(one)) for one in accepted))
    gone = np.concatenate([one["query_id"][:2000] for one in accepted])
    _rejects(folder / "select-rejects.parquet", "source_0", "select", gone)
    _rejects(folder / "rejects.parquet", "source_0", "perplexity", gone[: len(gone) // 2])


def _student(data: Path, name: str, skill: float) -> None:
    rng = np.random.default_rng(len(name))
    for benchmark, (questions, samples) in BENCHMARKS.items():
        n = questions * samples
        ids = np.repeat([f"{number:032x}" for number in range(questions)], samples).astype(object)
        chances = np.repeat(np.random.default_rng(1).beta(1.2, 0.3, questions), samples)
        right = rng.random(n) < chances ** (2 - skill)
        attempt = np.tile(np.arange(1, samples + 1), questions)
        tokens = rng.integers(2_000, 49_152, n)
        columns = _same(n, teacher=name, text="4", finish_reason="stop", n_prompt_tokens=60, seed=1,
                        engine="vllm 1", revision="main")  # fmt: skip
        columns |= {"query_id": ids, "attempt": attempt, "n_tokens": tokens}
        folder = data / "benchmarks" / name
        _store(folder / f"{benchmark}.samples.parquet", Response, columns)
        columns = _same(
            n, status="scored", detail="", verifier="math", verifier_version="1", facts=""
        )
        columns |= {"query_id": ids, "attempt": attempt, "score": right.astype(np.float64)}
        _store(folder / f"{benchmark}.grades.parquet", Verdict, columns)
    _json(
        data / f"students/{name}/training.json", {"student": name, "steps": STEPS, "trained": True}
    )
    _csv(data / f"students/{name}/loss.csv", "step,epoch,loss,grad_norm,learning_rate,tokens",
         lambda step: f"{step},1,{0.2 + 1 / step:.5f},0.5,8e-05,2000000")  # fmt: skip
    _csv(data / f"students/{name}/speed.csv", "step,seconds,tokens_per_second,mfu",
         lambda step: f"{step},20.1,{100_000 + step},0.4")  # fmt: skip


def _errata(path: Path, n: int) -> None:
    columns = _same(n, question="0", reason="wrong answer")
    _store(path, Erratum, columns | {"query_id": [f"{number:032x}" for number in range(n)]})


def _csv(path: Path, header: str, line: Callable[[int], str]) -> None:
    path.write_text("\n".join([header, *map(line, range(1, STEPS + 1))]) + "\n")


def _rejects(path: Path, source: str, by: str, ids: npt.NDArray[np.object_]) -> None:
    reasons = np.array(["too_long", "url", "table", "duplicate", "broken"], dtype=object)
    columns = _same(len(ids), source=source, by=by, value="")
    columns |= {"query_id": ids, "reason": reasons[np.arange(len(ids)) % len(reasons)]}
    _store(path, Reject, columns)


def _same(n: int, **values: Any) -> Columns:
    return {name: pa.repeat(value, n) for name, value in values.items()}


def _table(row: type, columns: Columns) -> pa.Table:
    wanted = schema(row)
    arrays = [pa.array(columns[f.name], f.type) for f in wanted]
    return pa.Table.from_arrays(arrays, schema=wanted)


def _store(path: Path, row: type, columns: Columns) -> None:
    store(path, row, [_table(row, columns)])


def _json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
