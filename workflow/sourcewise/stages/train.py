"""Fine-tunes the base model into a student on one dataset: Example rows in, a Hugging Face directory out.

Also writes loss.csv (what every step gave), speed.csv (what it took) and training.json. How many processes
train and how DeepSpeed shards the model are matters of the machine: `$SOURCEWISE_PROCESSES` and
`$SOURCEWISE_DEEPSPEED`.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import io
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sourcewise import pretrained, tables
from sourcewise.params.students import Student, Train
from sourcewise.training import launch
from sourcewise.training.allocation import allocation
from sourcewise.training.job import Job, last_checkpoint
from sourcewise.training.model_card import model_card
from sourcewise.training.speed import utilisation

LOSS = ("step", "epoch", "loss", "grad_norm", "learning_rate", "tokens")
# Apart from the rest: these differ from run to run.
SPEED = ("step", "seconds", "tokens_per_second", "mfu")
DEEPSPEED = Path(__file__).parents[2] / "deepspeed" / "zero1.json"


def run(
    *,
    name: str,
    train: Train,
    student: Student,
    examples: tuple[Path, ...],
    out: Path,
    loss: Path,
    speed: Path,
    metrics: Path,
) -> None:
    """Trains the student `name`; without examples it is the base model, unchanged."""
    base = pretrained.locate("train.base", train.base, train.revision)
    work = out.with_name(f".{out.name}.training")
    if examples:
        job = describe(name, train, student, examples, base, work)
        enter(job)
        launch.run(job)
        steps, numbers = outcome(job)
        write(work / "model/README.md", model_card(job, str(student.dataset), numbers))
    else:
        copy(base, work / "model")
        steps, numbers = [], {"student": name, "trained": False, "steps": 0}
    write(loss, table(LOSS, steps))
    write(speed, table(SPEED, steps))
    write(metrics, json.dumps(numbers, indent=1) + "\n")
    pretrained.seal(work / "model")
    shutil.rmtree(out, ignore_errors=True)
    (work / "model").rename(out)
    shutil.rmtree(work)


def describe(
    name: str, train: Train, student: Student, examples: tuple[Path, ...], base: Path, work: Path
) -> Job:
    """The job, checked: one table with rows, batches that divide among the processes."""
    if len(examples) != 1:
        raise ValueError(f"student {name}: one table of examples is expected, not {len(examples)}")
    if tables.count(examples[0], tables.Example) == 0:
        raise ValueError(
            f"student {name}: dataset {student.dataset!r} has no example in {examples[0]}: "
            "loosen its filters or min_score, or remove the student"
        )
    check_context(base, train.max_length)
    given = allocation()
    processes = given.nodes * given.processes
    if processes < 1 or train.global_batch % processes:
        raise ValueError(
            f"train.global_batch {train.global_batch} does not divide among {processes} processes: "
            "change SOURCEWISE_PROCESSES"
        )
    deepspeed = Path(os.environ.get("SOURCEWISE_DEEPSPEED") or DEEPSPEED)
    if not deepspeed.is_file():
        raise ValueError(f"SOURCEWISE_DEEPSPEED: {deepspeed} does not exist")
    return Job(
        name=name,
        train=train,
        seed=student.seed,
        base=str(base),
        examples=str(examples[0]),
        inputs=digests(base, examples[0], deepspeed),
        deepspeed=str(deepspeed),
        processes=processes,
        nodes=given.nodes,
        directory=str(work),
    )


def check_context(base: Path, max_length: int) -> None:
    """Raises ValueError where rows of `max_length` tokens are longer than what the base was made for.

    A base without a limit in its config.json passes; one that stretches its positions has its factor more.
    """
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    config = config.get("text_config", config)
    positions = config.get("max_position_embeddings")
    stretched = config.get("rope_parameters") or config.get("rope_scaling") or {}
    factor = stretched.get("factor") or 1.0
    if positions is not None and max_length > positions * factor:
        raise ValueError(
            f"train.max_length {max_length:,} exceeds the {positions:,} positions of train.base {base} "
            "(max_position_embeddings in its config.json): lower it, or choose a base with a longer context"
        )


def digests(base: Path, examples: Path, deepspeed: Path) -> dict[str, str]:
    """What a checkpoint belongs to, beside the parameters."""
    weights = [
        f"{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in pretrained.files(base)
    ]
    packages = ("torch", "transformers", "trl", "deepspeed", "accelerate")
    with examples.open("rb") as content:
        rows = hashlib.file_digest(content, "sha256").hexdigest()
    return {
        "base": hashlib.sha256("\n".join(weights).encode()).hexdigest(),
        "examples": rows,
        "deepspeed": hashlib.sha256(deepspeed.read_bytes()).hexdigest(),
        "packages": " ".join(f"{name}=={importlib.metadata.version(name)}" for name in packages),
    }


def enter(job: Job) -> None:
    """Takes up the directory of an interrupted training of the same job, or begins an empty one."""
    work = Path(job.directory)
    described = work / "job.json"
    content = job.model_dump_json(indent=1)
    if work.exists():
        same = described.exists() and described.read_text(encoding="utf-8") == content
        if not same:
            if last_checkpoint(job):
                print(
                    f"train {job.name}: settings or inputs changed, the interrupted training is discarded",
                    file=sys.stderr,
                )
            shutil.rmtree(work)
    job.checkpoints.mkdir(parents=True, exist_ok=True)
    kept = last_checkpoint(job)
    for checkpoint in job.checkpoints.glob("checkpoint-*"):
        if not (checkpoint / "complete").exists() or (kept and checkpoint != kept):
            shutil.rmtree(checkpoint)
    write(described, content)


def outcome(job: Job) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The steps of loss.csv and speed.csv, and the numbers of training.json."""
    history = json.loads(job.history.read_text(encoding="utf-8"))
    counts = json.loads(job.counts.read_text(encoding="utf-8"))
    steps = [step | _speed(step, history, job.processes) for step in history["steps"]]
    last = [step["loss"] for step in steps[-max(1, len(steps) // 10) :]]
    return steps, {
        "student": job.name,
        "trained": True,
        "examples": counts["examples"],
        "excluded_too_long": counts["excluded"],
        "tokens_per_epoch": counts["tokens"],
        "response_tokens_per_epoch": counts["response_tokens"],
        "packed_rows": history["packed_rows"],
        "packing_fill": counts["tokens"] / (history["packed_rows"] * job.train.max_length),
        "steps": len(steps),
        "epochs": steps[-1]["epoch"],
        # The mean of the last tenth: the loss of a single batch is noise.
        "final_loss": sum(last) / len(last),
    }


def _speed(step: dict[str, Any], history: dict[str, Any], processes: int) -> dict[str, Any]:
    """Tokens a second, and the share of the devices' peak where that is known."""
    rate = step["tokens"] / step["seconds"]
    mfu = utilisation(
        rate,
        parameters=history["parameters"],
        device=history["device"],
        processes=processes,
    )
    return {
        "seconds": f"{step['seconds']:.4f}",
        "tokens_per_second": f"{rate:.1f}",
        "mfu": "" if mfu is None else f"{mfu:.4f}",
    }


def table(columns: Sequence[str], steps: list[dict[str, Any]]) -> str:
    """The columns of the steps as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(steps)
    return text.getvalue()


def copy(base: Path, directory: Path) -> None:
    """The base model's files, byte by byte."""
    shutil.rmtree(directory.parent, ignore_errors=True)
    directory.mkdir(parents=True)
    for path in pretrained.files(base):
        shutil.copyfile(path, directory / path.name)


def write(path: Path, text: str) -> None:
    """Writes a file that appears by rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
