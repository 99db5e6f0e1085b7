"""A loss or gradient that is no number ends the training and loses nothing before it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tiny_qwen
import torch
from safetensors.torch import load_file
from small_training import example, train
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config


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
