"""Students are trained as the paper says, survive a kill, and load."""

from __future__ import annotations

import csv
import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_training import (
    EXAMPLES,
    STUDENT,
    TOO_LONG,
    Made,
    job,
    places,
    separate_loss,
    settings,
    train,
)
from transformers import AutoModelForCausalLM, AutoTokenizer

from sourcewise import tables
from sourcewise.stages import train as stage
from sourcewise.tables import Example
from sourcewise.training.job import last_checkpoint


@pytest.fixture(scope="module")
def student(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An uninterrupted training in which every step sees all examples."""
    return train(tmp_path_factory.mktemp("student"), base, [*EXAMPLES, TOO_LONG])


def test_packed_examples_do_not_see_each_other(student: Made, base: Path) -> None:
    """The first step is taken before any change: its loss is that of the base on all examples."""
    assert student.numbers()["packed_rows"] < len(EXAMPLES)
    first = float(student.steps()[0]["loss"])
    assert first == pytest.approx(separate_loss(base, EXAMPLES), abs=1e-5)


def test_training_says_what_it_did(student: Made) -> None:
    numbers = student.numbers()
    assert (numbers["examples"], numbers["excluded_too_long"]) == (len(EXAMPLES) + 1, 1)
    assert (numbers["steps"], numbers["epochs"]) == (40, 40)
    steps = student.steps()
    assert [int(step["step"]) for step in steps] == list(range(1, 41))
    # Two of 40 steps warm up; a step counts the rate before it.
    assert max(steps, key=lambda step: float(step["learning_rate"]))["step"] == "3"
    assert numbers["final_loss"] < float(steps[0]["loss"]) - 1
    assert all(float(step["grad_norm"]) > 0 for step in steps)
    # Every step sees all tokens, and a filler for each row that its batch of 16 lacks.
    fillers = 16 - numbers["packed_rows"]
    assert {int(step["tokens"]) for step in steps} == {numbers["tokens_per_epoch"] + fillers}
    full = numbers["packed_rows"] * 128
    assert numbers["packing_fill"] == pytest.approx(numbers["tokens_per_epoch"] / full)
    with student.speed.open() as file:
        speeds = list(csv.DictReader(file))
    assert [speed["step"] for speed in speeds] == [step["step"] for step in steps]
    for speed, step in zip(speeds, steps, strict=True):
        rate = int(step["tokens"]) / float(speed["seconds"])
        assert float(speed["tokens_per_second"]) == pytest.approx(rate, rel=0.01)
        assert speed["mfu"] == "", "the peak of a CPU is not known"


def test_a_students_card_names_its_dataset_by_digest(student: Made) -> None:
    content = (student.out / "README.md").read_text()
    examples = student.out.with_name("examples.parquet")
    assert hashlib.sha256(examples.read_bytes()).hexdigest() in content
    assert "dataset `math`" in content
    assert "| seed | 3 |" in content
    assert f"{len(EXAMPLES) + 1:,} examples, 1 of them too long" in content
    assert "README.md" in json.loads((student.out / "fingerprint.json").read_text())


def test_a_student_stops_at_the_end_of_its_turn(student: Made, base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(student.out)
    model = AutoModelForCausalLM.from_pretrained(student.out)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert tokenizer.eos_token == "<|im_end|>"
    assert model.generation_config.eos_token_id == [end, 0]
    same = [
        path.name
        for path in base.iterdir()
        if path.name in ("tokenizer.json", "chat_template.jinja")
    ]
    assert len(same) == 2
    for name in same:
        assert (student.out / name).read_bytes() == (base / name).read_bytes()


def test_nothing_is_left_beside_the_student(student: Made) -> None:
    names = {path.name for path in student.out.parent.iterdir()}
    assert names == {"s", "loss.csv", "speed.csv", "training.json", "examples.parquet"}


def test_a_killed_training_continues_to_the_same_bytes(
    student: Made, base: Path, tmp_path: Path
) -> None:
    made = places(tmp_path)
    source = tmp_path / "examples.parquet"
    tables.write(source, Example, [*EXAMPLES, TOO_LONG])
    command = [sys.executable, "-m", "sourcewise", "train", "--name", "s"]
    command += ["--train", settings(base).model_dump_json(), "--student", STUDENT.model_dump_json()]
    command += ["--examples", str(source)]
    for name, path in made._asdict().items():
        command += [f"--{name}", str(path)]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    checkpoints = tmp_path / ".s.training" / "checkpoints"
    while not list(checkpoints.glob("checkpoint-*/complete")):
        assert running.poll() is None, "the training ended before it could be killed"
        time.sleep(0.01)
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    running.send_signal(signal.SIGKILL)
    running.wait()
    for child in children:
        while Path(f"/proc/{child}/stat").exists():
            time.sleep(0.05)
    assert not (checkpoints.parent / "model").exists(), "the training outlived its stage"

    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "continues after step" in again.stderr
    for path in student.out.iterdir():
        assert (made.out / path.name).read_bytes() == path.read_bytes(), path.name
    assert made.loss.read_text() == student.loss.read_text()
    assert made.metrics.read_text() == student.metrics.read_text()


def test_a_student_without_dataset_is_the_base_unchanged(base: Path, tmp_path: Path) -> None:
    (base / "training.json").write_text("{}")
    made = train(tmp_path, base, None)
    digests = json.loads((made.out / "fingerprint.json").read_text())
    assert set(digests) == {p.name for p in base.iterdir()} - {"training.json"}
    assert {p.name for p in made.out.iterdir()} == {*digests, "fingerprint.json"}
    for name, digest in digests.items():
        assert (made.out / name).read_bytes() == (base / name).read_bytes()
        assert digest == hashlib.sha256((base / name).read_bytes()).hexdigest()
    assert made.loss.read_text() == "step,epoch,loss,grad_norm,learning_rate,tokens\n"
    assert made.speed.read_text() == "step,seconds,tokens_per_second,mfu\n"
    assert made.numbers() == {"student": "s", "trained": False, "steps": 0}


def test_checkpoints_serve_only_the_same_job_and_only_when_complete(tmp_path: Path) -> None:
    described = job(tmp_path / "work")
    stage.enter(described)
    for step in (4, 8, 12):
        (described.checkpoints / f"checkpoint-{step}").mkdir()
    (described.checkpoints / "checkpoint-8" / "complete").touch()
    stage.enter(described)
    assert [path.name for path in described.checkpoints.iterdir()] == ["checkpoint-8"]
    other = job(tmp_path / "work", seed=4)
    stage.enter(other)
    assert last_checkpoint(other) is None
