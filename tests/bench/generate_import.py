"""The four GSM8K teachers: 1,319 questions collected, 4 x 1,319 responses imported, matched and verified."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import yaml
from figure import Figure

from sourcewise.tables import Query, Response, Verdict, count, read

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared/data/gsm8k"
VERIFY = ROOT / ".venvs/verify/bin/python"
LIMIT = 30.0


def figures() -> Iterator[Figure]:
    """One run of the stages as the rules call them, one after the other."""
    if not DATA.is_dir():
        raise SystemExit(f"bench_generate: {DATA} does not exist: this part needs the real data")
    preset = yaml.safe_load((ROOT / "workflow/presets/gsm8k.yaml").read_text())
    text = json.dumps(preset).replace("data/raw/shared/gsm8k", str(DATA))
    params = json.loads(text)
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        queries = folder / "gsm8k.parquet"
        seconds["collect"] = _stage(
            sys.executable, "collect", name="gsm8k", origin=_origin(params), seed="7",
            planted="", out=str(queries), rejects=str(folder / "rejects.parquet"),
        )  # fmt: skip
        asked = count(queries, Query)
        accepted = 0
        for teacher, section in params["teachers"].items():
            table, verdicts = folder / f"{teacher}.parquet", folder / f"{teacher}.verdicts.parquet"
            seconds[f"import {teacher}"] = _stage(
                sys.executable, "generate", name=teacher, teacher=json.dumps(section), seed="7",
                attempt="1", stop_score="null", futility="null", queries=str(queries), verdicts="",
                ledger=str(folder / teacher), out=str(table),
            )  # fmt: skip
            seconds[f"verify {teacher}"] = _stage(
                str(VERIFY), "verify", queries=str(queries), responses=str(table),
                verifiers=json.dumps(params["verifiers"]), out=str(verdicts),
            )  # fmt: skip
            if count(table, Response) != asked:
                raise SystemExit(f"bench_generate: {teacher} answers not all of {asked} questions")
            accepted += sum(verdict.score == 1.0 for verdict in read(verdicts, Verdict))
    total, n = sum(seconds.values()), 4 * asked
    part = {
        kind: sum(s for name, s in seconds.items() if kind in name) for kind in ("import", "verify")
    }
    yield Figure(
        f"import, match and verify {n:,} responses of four GSM8K teachers",
        f"{total:.1f} s, {n / total:,.0f} responses/s",
        f"import {part['import']:.1f} s, verify {part['verify']:.1f} s; {accepted:,} correct",
        f"≤ {LIMIT:.0f} s",
        total <= LIMIT,
    )


def _origin(params: dict[str, dict[str, dict[str, object]]]) -> str:
    section = params["sources"]["gsm8k"]
    return json.dumps({name: value for name, value in section.items() if name != "shards"})


def _stage(python: str, stage: str, **given: str) -> float:
    words = [
        part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", value)
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    command = [python, "-m", "sourcewise", stage, *(word for word in words if word)]
    start = time.perf_counter()
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(f"bench_generate: {stage} failed\n{result.stderr[-3000:]}")
    return time.perf_counter() - start
