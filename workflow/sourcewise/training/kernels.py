"""Which implementations of attention and layers this machine has for a training."""

from __future__ import annotations

import importlib.util
from typing import Any


def attention(config: Any, precision: str) -> str | None:
    """What computes a model's attention; None leaves it to transformers: sdpa, where the model knows it.

    FlashAttention where it is installed: sdpa keeps packed rows apart by a mask of their length squared. Scores
    that are capped, as Gemma 2's, sdpa leaves uncapped without a word, so that without FlashAttention these
    models take the slow way.
    """
    import torch
    from transformers.utils import is_flash_attn_2_available

    if torch.cuda.is_available() and precision == "bfloat16" and is_flash_attn_2_available():
        return "flash_attention_2"
    capped = getattr(config.get_text_config(), "attn_logit_softcapping", None)
    return "eager" if capped else None


def liger() -> bool:
    """Whether Liger's fused norms, rotations and activations serve: its package and a GPU are there.

    The loss needs none of its kernels: TRL computes it in tiles, at positions with a label only.
    """
    import torch

    return torch.cuda.is_available() and importlib.util.find_spec("liger_kernel") is not None


def told(model_attention: str, *, with_liger: bool) -> str:
    """A line for the log."""
    return f"attention by {model_attention}, Liger kernels {'on' if with_liger else 'off'}, loss in tiles"
