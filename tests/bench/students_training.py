"""How fast the train stage is beside a plain TRL script with the same settings, on a CPU."""

from __future__ import annotations

import csv
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from figure import Figure

from sourcewise import tables
from sourcewise.tables import Example, Message

PAIRS, EXAMPLES, STEPS = 5, 3000, 20
RATIO = 1.0
PEER = Path(__file__).with_name("students_training_peer.py")
TRAIN = {
    "revision": "main",
    "learning_rate": 1e-3,
    "warmup_fraction": 0.05,
    "epochs": None,
    "max_length": 512,
    "global_batch": 16,
    "packing": True,
    "adam_betas": [0.9, 0.95],
    "weight_decay": 0.1,
    "max_grad_norm": 1.0,
    "precision": "float32",
    "system": None,
    "chat_template": None,
}


class Run(NamedTuple):
    """Seconds and CPU seconds from command to model; tokens a second of a step; the first loss."""

    seconds: float
    cpu: float
    per_second: float
    loss: float


def figures() -> Iterator[Figure]:
    """Ours over TRL's, in turns; the median of the pairs' ratios counts, and of a run its median step."""
    sys.path.append(str(Path(__file__).parents[1] / "model"))
    import tiny_qwen

    with tempfile.TemporaryDirectory() as folder:
        base = tiny_qwen.build(Path(folder, "base"), hidden_size=128, n_layers=4)
        source = Path(folder, "examples.parquet")
        tables.write(source, Example, examples())
        settings = {**TRAIN, "base": str(base), "max_steps": STEPS}
        pairs = []
        for number in range(PAIRS):
            ours, peers = (
                who(settings, source, Path(folder, f"{number}{who.__name__}"))
                for who in (_ours, _peers)
            )
            pairs.append((ours, peers))
    shape = f"training, rows of {TRAIN['max_length']}, {TRAIN['global_batch']} a step"
    yield _figure(f"{shape}: tokens a second once warm", pairs, "per_second", counts=True)
    yield _figure(f"{STEPS} steps, command to model on the disk: s", pairs, "seconds")
    yield _figure("the same: CPU s", pairs, "cpu")
    losses = (f"{one.loss:.4f}" for one in pairs[0])
    yield Figure("the same: loss of the first step, from other draws", *losses, "", None)


def _figure(what: str, pairs: list[tuple[Run, Run]], field: str, *, counts: bool = False) -> Figure:
    values = [(getattr(ours, field), getattr(peers, field)) for ours, peers in pairs]
    faster = [o / p if field.startswith("per") else p / o for o, p in values]
    ours, peers = (statistics.median(side) for side in zip(*values, strict=True))
    ratio = statistics.median(faster)
    return Figure(
        what,
        f"{ours:,.1f}: {ratio:.2f} of TRL's speed ({min(faster):.2f} to {max(faster):.2f})",
        f"TRL: {peers:,.1f}",
        f"≥ {RATIO}" if counts else "",
        ratio >= RATIO if counts else None,
    )


def examples() -> list[Example]:
    """Questions with reasonings of 20 to 400 characters, a token each."""
    draw = random.Random(1)
    made = []
    for number in range(EXAMPLES):
        reasoning = "".join(draw.choices("0123456789+-= ", k=draw.randint(20, 400)))
        turns = [Message("user", f"{number}+{number}?")]
        turns.append(Message("assistant", f"<think>{reasoning}</think>{2 * number}"))
        made.append(Example(f"{number:032x}", "math", "t", turns, 1, 1, 1.0, None))
    return made


def _ours(settings: dict[str, Any], source: Path, out: Path) -> Run:
    out.mkdir(parents=True)
    command = ["-m", "sourcewise", "train", "--name", "s", "--train", json.dumps(settings)]
    command += ["--student", json.dumps({"dataset": "d", "seed": 1}), "--examples", str(source)]
    command += ["--out", str(out / "model")]
    for name in ("loss", "speed", "metrics"):
        command += [f"--{name}", str(out / name)]
    spent = _run(command)
    with (out / "loss").open() as file:
        losses = list(csv.DictReader(file))
    with (out / "speed").open() as file:
        seconds = [float(step["seconds"]) for step in csv.DictReader(file)]
    tokens = [float(step["tokens"]) for step in losses]
    return Run(*spent, _typical(seconds, tokens), float(losses[0]["loss"]))


def _peers(settings: dict[str, Any], source: Path, out: Path) -> Run:
    out.mkdir(parents=True)
    # One is TRL's fastest: it flattens rows into one, whose attention costs the square.
    given = json.dumps({**settings, "rows_at_once": 1})
    spent = _run([str(PEER), given, str(source), str(out)])
    told = json.loads((out / "speed.json").read_text())
    seconds, tokens = ([step[key] for step in told["steps"]] for key in ("seconds", "tokens"))
    return Run(*spent, _typical(seconds, tokens), told["losses"][0])


def _typical(seconds: list[float], tokens: list[float]) -> float:
    """Mean tokens of a step by its median seconds."""
    return statistics.mean(tokens) / statistics.median(seconds)


def _run(arguments: list[str]) -> tuple[float, float]:
    """Seconds by the clock, and of processor for the command and the processes that it starts.

    A plain script says nothing of threads: torch takes every core, and they spin while they wait.
    """
    own = {name: value for name, value in os.environ.items() if "OMP_" not in name}
    environment = {**own, "HF_HUB_OFFLINE": "1"}
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"exit status {done.returncode}: {done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, cpu
