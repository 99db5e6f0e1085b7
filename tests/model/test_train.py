"""Students are trained as the paper says, survive a kill, and load."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import tiny_qwen
import torch
from safetensors.torch import load_file
from small_training import (
    EXAMPLES,
    STUDENT,
    TOO_LONG,
    Made,
    example,
    places,
    separate_loss,
    settings,
    train,
    written,
)
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from sourcewise import tables
from sourcewise.progress import Progress
from sourcewise.stages import train as stage
from sourcewise.tables import Example
from sourcewise.training import rows
from sourcewise.training.job import Job, last_checkpoint
from sourcewise.training.packing import n_filled, training_rows
from sourcewise.training.speed import parameters, utilisation


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_qwen.build(tmp_path_factory.mktemp("untied") / "base")


@pytest.fixture(scope="module")
def student(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An uninterrupted training in which every step sees all examples."""
    return train(tmp_path_factory.mktemp("student"), base, [*EXAMPLES, TOO_LONG])


def test_only_the_final_response_and_its_end_of_turn_carry_loss(base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    [row] = rows.rows(tokenizer, [EXAMPLES[-1]], system=None)
    learnt = [label for label in row.labels if label != rows.IGNORED]
    assert tokenizer.decode(learnt) == "<think>y</think>two<|im_end|>"
    assert row.labels[-len(learnt) :] == learnt
    assert "one" in tokenizer.decode(row.input_ids[: -len(learnt)])


def test_an_example_that_does_not_end_with_the_assistant_is_an_error(base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    with pytest.raises(ValueError, match="00a does not end with an assistant turn"):
        list(rows.rows(tokenizer, [example(10, "q?", "a", "q2?")], system=None))


def test_examples_over_the_row_length_are_left_out_and_none_is_cut(tmp_path: Path) -> None:
    stream = [
        rows.Row(list(range(n)), [rows.IGNORED] * (n - 1) + [7], f"row {n}") for n in (5, 9, 8, 30)
    ]
    progress = Progress("rows", 4, "examples")
    counts = rows.write(tmp_path / "rows.arrow", stream, max_length=8, progress=progress)
    kept = pa.ipc.open_stream(tmp_path / "rows.arrow").read_all()
    assert [len(ids) for ids in kept["input_ids"]] == [5, 8]
    assert (counts.examples, counts.excluded, counts.trained) == (4, 2, 2)
    assert (counts.tokens, counts.response_tokens) == (13, 2)


def test_packed_examples_do_not_see_each_other(student: Made, base: Path) -> None:
    """The first step is taken before any change: its loss is that of the base on all examples."""
    assert student.numbers()["packed_rows"] < len(EXAMPLES)
    first = float(student.steps()[0]["loss"])
    assert first == pytest.approx(separate_loss(base, EXAMPLES), abs=1e-5)


def test_training_draws_every_example_once_packed_or_not(base: Path, tmp_path: Path) -> None:
    path, made = written(tmp_path, base, EXAMPLES)
    for packing in (True, False):
        drawn = training_rows(path, max_length=128, packing=packing, multiple_of=8)
        found = []
        assert len(drawn) in (8, 16)
        for row in drawn:
            ends = list(itertools.accumulate(row["seq_lengths"], initial=0))
            if set(row["labels"]) == {rows.IGNORED}:
                assert ends[-1] == 1
                continue
            for start, end in itertools.pairwise(ends):
                found.append((list(row["input_ids"][start:end]), list(row["labels"][start:end])))
        assert sorted(found) == sorted((row.input_ids, row.labels) for row in made)
        assert (n_filled(drawn) < len(made)) == packing
        assert len(drawn[0]["input_ids"]) == len(drawn[[0]]["input_ids"][0]) <= 128


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


def test_utilisation_is_the_share_of_the_peak_and_no_guess() -> None:
    rate = {"parameters": 7_000_000_000, "processes": 8}
    h100 = utilisation(80_000, device="NVIDIA H100 80GB HBM3", **rate)
    assert h100 == pytest.approx(6 * 7e9 * 80_000 / (8 * 989e12))
    pcie = utilisation(80_000, device="NVIDIA H100 PCIe", **rate)
    assert pcie == pytest.approx(6 * 7e9 * 80_000 / (8 * 756e12))
    assert utilisation(80_000, device="", **rate) is None


@pytest.mark.parametrize("tied", [False, True])
def test_parameters_that_only_look_up_do_not_count(tied: bool, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_qwen.build(tmp_path / "base", tied=tied))
    multiplied = (
        sum(p.numel() for p in model.model.parameters()) - model.model.embed_tokens.weight.numel()
    )
    assert parameters(model) == multiplied + model.lm_head.weight.numel()


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


@pytest.mark.slow
@pytest.mark.parametrize("stage_of_zero", [2, 3])
def test_two_processes_train_a_model_with_tied_embeddings(
    stage_of_zero: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tiny_qwen.build(tmp_path / "base", tied=True)
    sharding = stage.DEEPSPEED.with_name(f"zero{stage_of_zero}.json")
    monkeypatch.setenv("SOURCEWISE_PROCESSES", "2")
    monkeypatch.setenv("SOURCEWISE_DEEPSPEED", str(sharding))
    # Unpacked rows of two examples each: both processes get their own.
    made = train(tmp_path, base, EXAMPLES[:8], epochs=2, packing=False)
    assert float(made.steps()[0]["loss"]) == pytest.approx(
        separate_loss(base, EXAMPLES[:8]), abs=1e-5
    )
    from safetensors import safe_open

    with safe_open(made.out / "model.safetensors", "pt") as file:
        assert "lm_head.weight" not in file.keys()  # noqa: SIM118
    trained = AutoModelForCausalLM.from_pretrained(made.out)
    assert trained.lm_head.weight.data_ptr() == trained.model.embed_tokens.weight.data_ptr()
    before = AutoModelForCausalLM.from_pretrained(base)
    assert not torch.equal(trained.lm_head.weight, before.lm_head.weight)


@pytest.fixture(scope="module")
def one_process(base: Path, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The losses of 50 steps in one process under ZeRO-1."""
    made = train(tmp_path_factory.mktemp("one"), base, MANY, **FIFTY)
    return [float(step["loss"]) for step in made.steps()]


MANY = [example(n, f"{n}+{n}?", f"<think>{'ab' * n}</think>{2 * n}") for n in range(2, 34)]
# Two rows of packed examples go into each of 50 steps.
FIFTY = {"epochs": None, "max_steps": 50, "global_batch": 2, "learning_rate": 1e-3}


@pytest.mark.slow
@pytest.mark.parametrize("stage_of_zero", [2, 3])
def test_two_processes_take_the_steps_of_one(
    stage_of_zero: int,
    base: Path,
    one_process: list[float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sharding = stage.DEEPSPEED.with_name(f"zero{stage_of_zero}.json")
    monkeypatch.setenv("SOURCEWISE_PROCESSES", "2")
    monkeypatch.setenv("SOURCEWISE_DEEPSPEED", str(sharding))
    made = train(tmp_path, base, MANY, **FIFTY)
    assert made.numbers()["packed_rows"] % 2, "with an even number no row could be drawn twice"
    losses = [float(step["loss"]) for step in made.steps()]
    assert len(losses) == len(one_process) == 50
    assert losses == pytest.approx(one_process, abs=1e-5)
    assert losses[-1] < losses[0] - 1


@pytest.mark.slow
def test_an_optimizer_in_the_hosts_memory_takes_the_same_steps(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings that ship, but for DeepSpeed's own Adam, which would be compiled for minutes first."""
    losses = []
    for name in ("zero1", "zero2_offload", "zero3_offload"):
        shipped = json.loads(stage.DEEPSPEED.with_name(f"{name}.json").read_text())
        sharding = tmp_path / f"{name}.json"
        sharding.write_text(json.dumps({**shipped, "zero_force_ds_cpu_optimizer": False}))
        monkeypatch.setenv("SOURCEWISE_DEEPSPEED", str(sharding))
        (tmp_path / name).mkdir()
        made = train(tmp_path / name, base, MANY, **(FIFTY | {"max_steps": 4}))
        losses.append([float(step["loss"]) for step in made.steps()])
    assert len(losses[0]) == 4
    assert losses[0][-1] < losses[0][0]
    for offloaded in losses[1:]:
        assert offloaded == pytest.approx(losses[0], abs=1e-5)


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


def test_a_base_that_does_not_exist_is_named_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"train\.base: models/pretrained/bse is not a directory"):
        train(tmp_path, Path("models/pretrained/bse"), None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"train\.base: .*empty holds no model"):
        train(tmp_path, tmp_path / "empty", None)


def test_a_batch_that_does_not_divide_among_the_processes_is_refused(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCEWISE_PROCESSES", "3")
    with pytest.raises(ValueError, match=r"global_batch 16 does not divide among 3 processes"):
        train(tmp_path, base, EXAMPLES)


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_loss_that_is_no_number_ends_the_training_and_keeps_the_last_checkpoint(
    processes: int,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The base holds no number for one character, and one example has it."""
    base = tiny_qwen.build(tmp_path / "base")
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base)
    [broken] = tokenizer("~")["input_ids"]
    with torch.no_grad():
        model.model.embed_tokens.weight[broken] = torch.nan
    model.save_pretrained(base)
    # With this number the seed draws the last example late, for one process and for two.
    examples = [example(n, f"{n}+{n}?", "<think>so</think>4") for n in range(23)]
    examples.append(example(99, "~?", "<think>so</think>4"))
    monkeypatch.setenv("SOURCEWISE_PROCESSES", str(processes))
    with pytest.raises(RuntimeError, match="training of s ended with 1"):
        train(tmp_path, base, examples, packing=False, global_batch=processes, epochs=processes)
    said = capfd.readouterr().err
    found = re.search(r"the loss of step (\d+) is nan, drawn from (.*); kept: \S*-(\d+)\n", said)
    assert found, said
    step, drawn, kept = int(found[1]), found[2], int(found[3])
    assert drawn.startswith(f"query {99:032x}, t, attempt 1: look at these examples")
    assert step - 4 < kept < step
    checkpoints = tmp_path / ".s.training/checkpoints"
    assert max(int(path.name.partition("-")[2]) for path in checkpoints.glob("c*")) == kept
    weights = load_file(checkpoints / f"checkpoint-{kept}/model.safetensors")
    assert weights.pop("model.embed_tokens.weight").isnan().any(dim=1).sum() == 1
    assert all(tensor.isfinite().all() for tensor in weights.values())
    assert not (tmp_path / "s").exists()


def test_a_gradient_that_is_not_finite_ends_the_training_though_the_loss_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A row of zeros under a norm with almost no epsilon: it is finite, its derivative is not."""
    base = tiny_qwen.write(tmp_path / "base", Qwen2Config, rms_norm_eps=2e-38)
    [broken] = AutoTokenizer.from_pretrained(base)("~")["input_ids"]
    model = AutoModelForCausalLM.from_pretrained(base)
    with torch.no_grad():
        model.model.embed_tokens.weight[broken] = 0
    model.save_pretrained(base)
    examples = [example(n, f"{n}+{n}?", "<think>so</think>4") for n in range(23)]
    examples.append(example(99, "~?", "<think>so</think>4"))
    with pytest.raises(RuntimeError, match="training of s ended with 1"):
        train(tmp_path, base, examples, packing=False, global_batch=1, epochs=1)
    said = capfd.readouterr().err
    found = re.search(
        r"the gradient of step (\d+) is (?:nan|inf), drawn from (.*); kept: \S*-(\d+)\n", said
    )
    assert found, said
    assert found[2].startswith(f"query {99:032x}, t, attempt 1: look at these examples")
    assert int(found[3]) < int(found[1])
    kept = tmp_path / f".s.training/checkpoints/checkpoint-{found[3]}/model.safetensors"
    assert all(tensor.isfinite().all() for tensor in load_file(kept).values())


def test_a_base_with_a_shorter_context_than_the_rows_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"max_length 513 exceeds the 512 positions of train.base"):
        train(tmp_path, base, EXAMPLES, max_length=513)
    stretched = tmp_path / "stretched"
    shutil.copytree(base, stretched)
    config = json.loads((stretched / "config.json").read_text())
    config["rope_parameters"] = {"rope_type": "yarn", "factor": 2.0, "rope_theta": 10000.0}
    (stretched / "config.json").write_text(json.dumps(config))
    stage.check_context(stretched, 1024)
    with pytest.raises(ValueError, match="exceeds"):
        stage.check_context(stretched, 1025)


def test_a_tokenizer_that_cannot_write_a_tag_is_refused_where_an_example_has_it() -> None:
    words = {"[UNK]": 0, "think": 1, "one": 2, "<|end|>": 3}
    pieces = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    pieces.pre_tokenizer = Whitespace()
    template = "{% for m in messages %}{{ m.content }} <|end|>{% endfor %}"
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces, unk_token="[UNK]", eos_token="<|end|>", chat_template=template
    )
    assert list(rows.rows(tokenizer, [example(1, "one", "one")], system=None))
    with pytest.raises(
        ValueError, match=r"cannot write '</think>', it makes .*choose a train.base"
    ):
        list(rows.rows(tokenizer, [example(1, "one", "<think>one</think>")], system=None))


def test_an_empty_dataset_is_refused_with_the_student_and_the_dataset(
    base: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="student s: dataset 'math' has no example"):
        train(tmp_path, base, [])


def job(directory: Path, **changes: Any) -> Job:
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


@pytest.mark.parametrize(
    ("processes", "budget", "expected"),
    [(1, 512, (16, 4)), (2, 512, (8, 4)), (1, 1, (16, 1)), (16, 512, (1, 1)), (1, 700, (16, 4))],
)
def test_rows_at_once_fit_the_budget_and_divide_the_batch(
    processes: int, budget: int, expected: tuple[int, int]
) -> None:
    from sourcewise.training.sft import batches

    assert batches(job(Path("work"), processes=processes), budget=budget) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("qwen2", 2**30 // (4 * 40 * 64 * 2)), ("mistral", 512)],
)
def test_rows_go_through_a_model_together_where_their_attention_is_apart(
    kind: str, expected: int, tmp_path: Path
) -> None:
    from transformers import AutoConfig

    from sourcewise.training.sft import cpu_tokens

    base = tmp_path / "base"
    window = {"sliding_window": 128} if kind == "mistral" else {}
    AutoConfig.for_model(kind, hidden_size=64, num_hidden_layers=2, **window).save_pretrained(base)
    described = job(tmp_path / "work").model_copy(update={"base": str(base)})
    assert cpu_tokens(described) == expected
