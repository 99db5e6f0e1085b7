"""A small training through the real stage: examples, settings, and where it leaves what it makes."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from sourcewise import tables
from sourcewise.chat import exchanges
from sourcewise.params.students import Student, Train
from sourcewise.progress import Progress
from sourcewise.stages import train as stage
from sourcewise.tables import Example, Message
from sourcewise.training import rows
from sourcewise.training.job import Job

STUDENT = Student(dataset="math", seed=3)
LENGTHS = (3, 40, 11, 25, 7, 60, 18, 2)


def example(number: int, *turns: str) -> Example:
    roles = ("user", "assistant") * len(turns)
    messages = [Message(role, text) for role, text in zip(roles, turns, strict=False)]
    return Example(f"{number:032x}", "math", "t", messages, 1, 1, 1.0, None)


EXAMPLES = [example(n, f"{n}+{n}?", f"<think>{'x' * n}</think>{n}") for n in LENGTHS]
EXAMPLES.append(example(90, "first?", "one", "second?", "<think>y</think>two"))
TOO_LONG = example(99, "long?", "z" * 200)


def settings(base: Path, **changes: Any) -> Train:
    values = {
        "base": str(base),
        "revision": "main",
        "learning_rate": 1e-2,
        "warmup_fraction": 0.05,
        "epochs": 40,
        "max_steps": None,
        "max_length": 128,
        "global_batch": 16,
        "packing": True,
        "adam_betas": (0.9, 0.98),
        "weight_decay": 0.01,
        "max_grad_norm": 1.0,
        "precision": "float32",
        "system": None,
        "chat_template": None,
    }
    return Train.model_validate(values | changes)


class Made(NamedTuple):
    out: Path
    loss: Path
    speed: Path
    metrics: Path

    def steps(self) -> list[dict[str, str]]:
        with self.loss.open() as file:
            return list(csv.DictReader(file))

    def numbers(self) -> dict[str, Any]:
        return json.loads(self.metrics.read_text())


def places(directory: Path) -> Made:
    return Made(
        directory / "s",
        directory / "loss.csv",
        directory / "speed.csv",
        directory / "training.json",
    )


def train(directory: Path, base: Path, examples: list[Example] | None, **changes: Any) -> Made:
    made = places(directory)
    given: tuple[Path, ...] = ()
    if examples is not None:
        given = (directory / "examples.parquet",)
        tables.write(given[0], Example, examples)
    stage.run(
        name="s",
        train=settings(base, **changes),
        student=STUDENT if given else Student(dataset=None, seed=3),
        examples=given,
        **made._asdict(),
    )
    return made


def separate_loss(base: Path, examples: list[Example]) -> float:
    """The mean negative log likelihood of all final responses, each example alone in the model.

    By attention as the architecture spells it out, which the kernels in use have to equal.
    """
    model = AutoModelForCausalLM.from_pretrained(
        base, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    total, n = 0.0, 0
    for one in examples:
        [(prompt, response)] = exchanges(tokenizer, [one.messages])
        logits = model(torch.tensor([prompt + response])).logits[0].log_softmax(-1)
        for place, token in enumerate(response, len(prompt)):
            total -= logits[place - 1, token].item()
            n += 1
    return total / n


def written(tmp_path: Path, base: Path, examples: list[Example]) -> tuple[Path, list[rows.Row]]:
    made = list(rows.rows(AutoTokenizer.from_pretrained(base), examples, system=None))
    path = tmp_path / "rows.arrow"
    rows.write(path, made, max_length=128, progress=Progress("rows", len(made), "examples"))
    return path, made


def job(directory: Path, **changes: Any) -> Job:
    """What the stage leaves for the processes of a training."""
    values = {
        "name": "s",
        "train": settings(Path("base")),
        "seed": 3,
        "base": "base",
        "examples": "examples.parquet",
        "inputs": {},
        "deepspeed": "zero1.json",
        "processes": 1,
        "directory": str(directory),
    }
    return Job.model_validate(values | changes)
