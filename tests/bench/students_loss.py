"""What a loss without logits saves at a vocabulary of Qwen's size: memory, and what it costs in time."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from figure import Figure

TOKENS, HIDDEN, VOCABULARY = 2048, 128, 151_936
SUPERVISED = 0.9  # of the tokens; the rest are the queries
CLOSE = 1e-6


class Cost(NamedTuple):
    """Memory above what was there before in GiB, CPU seconds, and loss and largest gradients."""

    memory: float
    seconds: float
    loss: float
    gradients: Any


def figures() -> Iterator[Figure]:
    """The trainer's loss in tiles beside the model's own over all logits: forward and backward, fp32."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        tiles, whole = (pool.apply(_cost, (in_tiles,)) for in_tiles in (True, False))
    apart = max(
        float(abs(ours - theirs).max())
        for ours, theirs in zip(tiles.gradients, whole.gradients, strict=True)
    )
    what = f"loss of {TOKENS:,} tokens over {VOCABULARY:,} words, forward and backward"
    yield Figure(
        f"{what}: memory",
        f"{tiles.memory:.1f} GiB",
        f"with all logits: {whole.memory:.1f} GiB",
        "less",
        tiles.memory < whole.memory,
    )
    yield Figure(f"{what}: CPU", f"{tiles.seconds:.1f} s", f"{whole.seconds:.1f} s", "", None)
    yield Figure(
        "the same: loss; largest difference of a gradient",
        f"{tiles.loss:.6f}; {apart:.1e}",
        f"{whole.loss:.6f}",
        f"{CLOSE:.0e}",
        abs(tiles.loss - whole.loss) <= CLOSE * whole.loss and apart <= CLOSE,
    )


def _cost(in_tiles: bool) -> Cost:
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM
    from trl.trainer.utils import add_fused_lm_head

    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=HIDDEN,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    model = Qwen2ForCausalLM(config)
    add_fused_lm_head(
        model, outputs=("log_probs", "entropy", "is_top1")
    )  # as TRL's SFTTrainer does
    ids = torch.randint(VOCABULARY, (1, TOKENS))
    labels = ids.clone()
    labels[0, : int(TOKENS * (1 - SUPERVISED))] = -100
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    loss = model(input_ids=ids, labels=labels, use_cache=False, fused_lm_head=in_tiles).loss
    loss.backward()
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    layers = (model.lm_head.weight.grad[:1000], model.model.layers[0].mlp.up_proj.weight.grad)
    # As arrays: a tensor is handed over by its process, which ends here.
    gradients = [gradient.numpy() for gradient in layers]
    return Cost((peak - before) / 2**20, seconds, loss.item(), gradients)
