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
    from torch.nn.functional import scaled_dot_product_attention
    from transformers import AttentionInterface
    from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward

    def attention(
        module: Any, query: Any, key: Any, value: Any, mask: Any, **named: Any
    ) -> tuple[Any, None]:
        positions: Any = named.get("position_ids")
        usual = mask is None and positions is not None and len(positions) == 1 and module.is_causal
        if not usual or named.get("position_bias") is not None:
            return sdpa_attention_forward(module, query, key, value, mask, **named)
        # Each example counts its positions from 0.
        starts = [*(positions[0] == 0).nonzero().flatten().tolist(), positions.shape[1]]
        lengths = [end - start for start, end in pairwise(starts)]
        # On a CPU shared heads take four times as long in the backward pass as heads that are repeated.
        groups = getattr(module, "num_key_value_groups", 1)
        heads = (query, repeat_kv(key, groups), repeat_kv(value, groups))
        parts = zip(*(whole.split(lengths, dim=2) for whole in heads), strict=True)
        dropout, scale = named.get("dropout", 0.0), named.get("scaling")
        outputs = [
            scaled_dot_product_attention(*part, dropout_p=dropout, is_causal=True, scale=scale)
            for part in parts
        ]
        return torch.cat(outputs, dim=2).transpose(1, 2).contiguous(), None

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
