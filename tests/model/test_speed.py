"""How many rows go through a model at once, and how much of a device that uses."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_qwen
from small_training import job
from transformers import AutoModelForCausalLM

from sourcewise.training.speed import parameters, utilisation


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
