"""How fast the train stage is beside a plain TRL script with the same settings, on a CPU."""

from __future__ import annotations

import csv
import json
import os
import random
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

PAIRS, EXAMPLES, WARM_UP = 3, 3000, 5
RATIO = 1.0
PEER = Path(__file__).with_name("students_training_peer.py")
TRAIN = {
    "revision": "main",
    "learning_rate": 1e-3,
    "warmup_fraction": 0.05,
    "epochs": None,
    "max_steps": 60,
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
    """Seconds from the start of the command to the model on the disk, tokens a second once warm, the loss."""

    seconds: float
    rate: float
    loss: float


def figures() -> Iterator[Figure]:
    """Ours over TRL's, a pair at a time: the machine changes between pairs, not within one."""
    sys.path.append(str(Path(__file__).parents[1] / "model"))
    import tiny_qwen

    with tempfile.TemporaryDirectory() as folder:
        base = tiny_qwen.build(Path(folder, "base"), hidden_size=128, n_layers=4)
        source = Path(folder, "examples.parquet")
        tables.write(source, Example, examples())
        settings = {**TRAIN, "base": str(base)}
        pairs = []
        for number in range(PAIRS):
            work = Path(folder, str(number))
            runs = {}
            for who in (_ours, _peers) if number % 2 else (_peers, _ours):
                runs[who] = who(settings, source, work / who.__name__)
            pairs.append((runs[_ours], runs[_peers]))
    shape = f"{TRAIN['max_steps']} steps of {TRAIN['global_batch']} rows of {TRAIN['max_length']}"
    yield _figure(f"training, {shape}: tokens/s once warm", [(o.rate, p.rate) for o, p in pairs])
    yield _figure(
        "the same, from the command to the model on the disk: s",
        [(o.seconds, p.seconds) for o, p in pairs],
        inverse=True,
    )
    yield Figure(
        "the same: loss of the first step",
        f"{pairs[0][0].loss:.6f}",
        f"{pairs[0][1].loss:.6f}",
        "",
        None,
    )


def _figure(what: str, pairs: list[tuple[float, float]], *, inverse: bool = False) -> Figure:
    ratio = statistics.median(p / o if inverse else o / p for o, p in pairs)
    ours, peers = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Figure(
        what,
        f"{ours:,.1f}: {ratio:.2f} of TRL's speed",
        f"TRL: {peers:,.1f}",
        f"≥ {RATIO}",
        ratio >= RATIO,
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
    seconds = _run(command)
    with (out / "loss").open() as file:
        losses = list(csv.DictReader(file))
    with (out / "speed").open() as file:
        spent = [float(step["seconds"]) for step in csv.DictReader(file)]
    tokens = [float(step["tokens"]) for step in losses]
    return Run(seconds, sum(tokens[WARM_UP:]) / sum(spent[WARM_UP:]), float(losses[0]["loss"]))


def _peers(settings: dict[str, Any], source: Path, out: Path) -> Run:
    out.mkdir(parents=True)
    given = json.dumps({**settings, "rows_at_once": 1})
    seconds = _run([str(PEER), given, str(source), str(out)])
    told = json.loads((out / "speed.json").read_text())
    warm = told["steps"][WARM_UP:]
    rate = sum(step["tokens"] for step in warm) / sum(step["seconds"] for step in warm)
    return Run(seconds, rate, told["losses"][0])


def _run(arguments: list[str]) -> float:
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1"}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"exit status {done.returncode}: {done.stderr[-2000:]}")
    return time.perf_counter() - start
