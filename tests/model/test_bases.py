"""Students of any base model: packing keeps examples apart, and what is saved is what was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny_qwen
import torch
import transformers
from safetensors import safe_open
from small_training import EXAMPLES, separate_loss, train, written
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling
from trl.trainer.utils import add_fused_lm_head

from sourcewise.stages import train as stage
from sourcewise.training import apart, rows
from sourcewise.training.kernels import BY_EXAMPLE, attention
from sourcewise.training.packing import training_rows

GEMMA = {"head_dim": 16, "sliding_window": 16, "query_pre_attn_scalar": 16}
BASES: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen2": ("Qwen2Config", {}),
    "qwen2_tied": ("Qwen2Config", {"tie_word_embeddings": True}),
    "qwen3": ("Qwen3Config", {"head_dim": 16}),
    "llama": ("LlamaConfig", {}),
    "mistral": ("MistralConfig", {"sliding_window": 16}),
    "phi3": ("Phi3Config", {"original_max_position_embeddings": 512}),
    "gemma2": ("Gemma2Config", {**GEMMA, "tie_word_embeddings": True}),
    "gemma3": ("Gemma3TextConfig", {**GEMMA, "tie_word_embeddings": True}),
}
MIXING = {
    "mamba": ("MambaConfig", {"state_size": 8}),
    "bloom": ("BloomConfig", {"n_head": 2, "n_layer": 2}),
}
# ZeRO stage and processes: with one process and two, each stage saves tied and untied weights.
SHARDINGS = {
    "qwen2": ("zero1", 2),
    "qwen2_tied": ("zero1", 1),
    "qwen3": ("zero3", 1),
    "llama": ("zero3", 2),
    "mistral": ("zero2", 2),
    "phi3": ("zero2", 1),
    "gemma2": ("zero3", 2),
    "gemma3": ("zero2", 2),
}


def build(name: str, directory: Path) -> Path:
    kind, changes = (BASES | MIXING)[name]
    return tiny_qwen.write(directory, getattr(transformers, kind), **changes)


def load(base: Path) -> Any:
    """The model with the attention that training asks for."""
    how = attention(AutoConfig.from_pretrained(base), "float32")
    return AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation=how)


def test_attention_is_that_which_a_base_allows() -> None:
    def asked(name: str) -> str | None:
        kind, changes = BASES[name]
        return attention(getattr(transformers, kind)(**changes), "float32")

    windows = {"mistral": None, "gemma2": "eager", "gemma3": None}
    assert {name: asked(name) for name in BASES} == {
        name: windows.get(name, BY_EXAMPLE) for name in BASES
    }


@pytest.mark.parametrize("name", BASES)
def test_packed_and_alone_examples_have_the_same_loss_and_gradients(
    name: str, tmp_path: Path
) -> None:
    """The batches are those of training: its rows, TRL's collator and its loss in tiles, which is torch's."""
    base = build(name, tmp_path / "base")
    path, made = written(tmp_path, base, EXAMPLES)
    collate = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)
    n = sum(label != rows.IGNORED for row in made for label in row.labels)

    def gradients(
        batches: list[list[Any]], *, tiles: bool
    ) -> tuple[float, dict[str, torch.Tensor]]:
        model = load(base)
        add_fused_lm_head(model)
        total = 0.0
        for batch in batches:
            # As TRL calls it: transformers tells packed examples apart only where it keeps no cache.
            given = {**collate(batch), "use_cache": False, "num_items_in_batch": n}
            loss = model(**given, fused_lm_head=tiles).loss
            loss.backward()
            total += loss.item()
        return total, {name: p.grad for name, p in model.named_parameters()}

    packed = list(training_rows(path, max_length=128, packing=True, multiple_of=16))
    single = training_rows(path, max_length=128, packing=False, multiple_of=1)
    assert max(len(row["seq_lengths"]) for row in packed) > 1
    alone = gradients([[row] for row in single], tiles=False)
    together = gradients([packed], tiles=False)
    in_tiles = gradients([packed], tiles=True)
    assert alone[0] == pytest.approx(separate_loss(base, EXAMPLES), abs=1e-5)
    assert together[0] == pytest.approx(alone[0], abs=1e-5)
    assert in_tiles[0] == pytest.approx(together[0], abs=1e-6)
    for place, gradient in alone[1].items():
        assert gradient.abs().max() > 1e-3, place
        torch.testing.assert_close(together[1][place], gradient, rtol=0, atol=1e-5)
        torch.testing.assert_close(in_tiles[1][place], together[1][place], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", [*BASES, *MIXING])
def test_a_model_is_asked_whether_it_keeps_packed_examples_apart(name: str, tmp_path: Path) -> None:
    model = load(build(name, tmp_path / "base")).train()
    add_fused_lm_head(model)
    collate = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)
    if name in MIXING:
        with pytest.raises(
            apart.MixedError, match=r"see each other .*: set train.packing to false"
        ):
            apart.check(model, collate, name, n_tokens=200)
    else:
        apart.check(model, collate, name, n_tokens=200)
        assert model.training


def test_a_base_that_would_mix_packed_examples_is_trained_unpacked_only(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    base = build("bloom", tmp_path / "base")
    with pytest.raises(RuntimeError, match="training of s ended with 1"):
        train(tmp_path, base, EXAMPLES, epochs=1)
    said = capfd.readouterr().err
    assert "BloomForCausalLM lets examples that share a row see each other" in said
    assert "Traceback" not in said
    made = train(tmp_path, base, EXAMPLES, epochs=1, packing=False)
    first = float(made.steps()[0]["loss"])
    assert first == pytest.approx(separate_loss(base, EXAMPLES), abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", BASES)
def test_a_saved_student_is_what_was_trained(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rate too small to change a float saves the base: every tensor, once, under its name."""
    base = build(name, tmp_path / "base")
    sharding, processes = SHARDINGS[name]
    monkeypatch.setenv("SOURCEWISE_PROCESSES", str(processes))
    monkeypatch.setenv("SOURCEWISE_DEEPSPEED", str(stage.DEEPSPEED.with_name(f"{sharding}.json")))
    made = train(tmp_path, base, EXAMPLES, epochs=1, learning_rate=1e-30)
    first = float(made.steps()[0]["loss"])
    assert first == pytest.approx(separate_loss(base, EXAMPLES), abs=1e-5)
    with (
        safe_open(base / "model.safetensors", "pt") as before,
        safe_open(made.out / "model.safetensors", "pt") as after,
    ):
        assert set(after.keys()) == set(before.keys())
        for key in before.keys():  # noqa: SIM118
            assert torch.equal(after.get_tensor(key), before.get_tensor(key)), key
    loaded, told = AutoModelForCausalLM.from_pretrained(made.out, output_loading_info=True)
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    ids = torch.tensor([AutoTokenizer.from_pretrained(made.out)("1+1?")["input_ids"]])
    with torch.no_grad():
        assert torch.equal(
            loaded(ids).logits, AutoModelForCausalLM.from_pretrained(base)(ids).logits
        )
