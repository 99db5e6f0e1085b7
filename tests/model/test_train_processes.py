"""Several processes, and the memory of the host, take the steps of one process on its device."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny_qwen
import torch
from small_training import EXAMPLES, example, separate_loss, train
from transformers import AutoModelForCausalLM

from sourcewise.stages import train as stage


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


MANY = [example(n, f"{n}+{n}?", f"<think>{'ab' * n}</think>{2 * n}") for n in range(2, 34)]
# Two rows of packed examples go into each of 50 steps.
FIFTY = {"epochs": None, "max_steps": 50, "global_batch": 2, "learning_rate": 1e-3}


@pytest.fixture(scope="module")
def one_process(base: Path, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The losses of 50 steps in one process under ZeRO-1."""
    made = train(tmp_path_factory.mktemp("one"), base, MANY, **FIFTY)
    return [float(step["loss"]) for step in made.steps()]


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
