"""Which implementations of attention and layers this machine has for a training."""

from __future__ import annotations

import importlib.util
from itertools import pairwise
from typing import Any

from sourcewise import pretrained

BY_EXAMPLE = "sdpa_by_example"


def attention(config: Any, precision: str) -> str | None:
    """What computes a model's attention over packed rows; None leaves it to transformers.

    FlashAttention where it is installed; else sdpa over each example by itself, where layers have no window:
    in one call it keeps them apart by a mask, and computes all pairs of a row's tokens.
    """
    import torch
    from transformers.utils import is_flash_attn_2_available

    if torch.cuda.is_available() and precision == "bfloat16" and is_flash_attn_2_available():
        return "flash_attention_2"
    return pretrained.attention(config) or (_by_example() if _sees_all(config) else None)


def _sees_all(config: Any) -> bool:
    """Whether no layer has a window, and the model takes the attention that it is given."""
    from transformers import AutoModelForCausalLM

    text = config.get_text_config()
    if getattr(text, "sliding_window", None) or getattr(text, "attention_chunk_size", None):
        return False
    model = AutoModelForCausalLM._model_mapping.get(type(config), None)
    return bool(getattr(model, "_supports_attention_backend", False))


def _by_example() -> str:
    """Registers sdpa over each example with transformers; its name there."""
    import torch
    from transformers import AttentionInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    def attention(
        module: Any, query: Any, key: Any, value: Any, mask: Any, **named: Any
    ) -> tuple[Any, None]:
        positions = named.get("position_ids")
        if mask is not None or positions is None or len(positions) > 1 or not module.is_causal:
            return sdpa_attention_forward(module, query, key, value, mask, **named)
        # Each example counts its positions from 0.
        starts = [*(positions[0] == 0).nonzero().flatten().tolist(), positions.shape[1]]
        lengths = [end - start for start, end in pairwise(starts)]
        parts = zip(*(whole.split(lengths, dim=2) for whole in (query, key, value)), strict=True)
        outputs = [sdpa_attention_forward(module, *part, None, **named)[0] for part in parts]
        return torch.cat(outputs, dim=1), None

    AttentionInterface.register(BY_EXAMPLE, attention)
    return BY_EXAMPLE


def liger() -> bool:
    """Whether Liger's fused norms, rotations and activations serve: its package and a GPU are there.

    The loss needs none of its kernels: TRL computes it in tiles, at positions with a label only.
    """
    import torch

    return torch.cuda.is_available() and importlib.util.find_spec("liger_kernel") is not None


def told(model_attention: str, *, with_liger: bool) -> str:
    """A line for the log."""
    return f"attention by {model_attention}, Liger kernels {'on' if with_liger else 'off'}, loss in tiles"
