"""A plain training loop for tiny models: packed rows, loss on what is learnt, AdamW, cosine."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from sourcewise.params.models import Pretrain
from sourcewise.progress import Progress
from sourcewise.synthetic.packing import IGNORED, Encoded, rows

BETAS = (0.9, 0.98)
WEIGHT_DECAY = 0.01
MAX_GRAD_NORM = 1.0
WARMUP = 0.05
LOG_EVERY = 25


def create(settings: Pretrain, tokenizer: Any) -> Any:
    """An untrained Qwen2 model for the tokenizer."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from sourcewise.synthetic.tokenizer import MAX_POSITIONS

    torch.manual_seed(settings.seed)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=settings.hidden_size,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.kv_heads,
        intermediate_size=settings.intermediate_size,
        max_position_embeddings=MAX_POSITIONS,
        # Tied embeddings are saved twice, or not at all, by some of DeepSpeed's stages.
        tie_word_embeddings=False,
        # The usual 0.02 leaves a narrow model with vanishing signals: it learnt half as much in the same time.
        initializer_range=0.06,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    network = Qwen2ForCausalLM(config)
    network.generation_config.eos_token_id = [tokenizer.eos_token_id, tokenizer.pad_token_id]
    network.generation_config.pad_token_id = tokenizer.pad_token_id
    return network


def fit(network: Any, documents: Sequence[Encoded], settings: Pretrain, label: str) -> list[float]:
    """Trains in place for `settings.steps` steps; returns the mean loss of every 25 steps."""
    import torch

    torch.set_num_threads(1)
    optimiser = _optimiser(network, settings.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: _share_of_rate(step, settings.steps)
    )
    stream = rows(documents, settings.row_tokens, settings.seed)
    progress = Progress(f"pretrain {label}", settings.steps, "steps")
    history: list[float] = []
    recent: list[float] = []
    network.train()
    for _ in range(settings.steps):
        loss = _loss(network, list(itertools.islice(stream, settings.batch_rows)), settings.row_tokens)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), MAX_GRAD_NORM)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad(set_to_none=True)
        recent.append(loss.item())
        if len(recent) == LOG_EVERY:
            history.append(round(sum(recent) / LOG_EVERY, 4))
            recent = []
        progress.advance()
    progress.finish()
    network.eval()
    return history


def _optimiser(network: Any, learning_rate: float) -> Any:
    import torch

    matrices = [weight for weight in network.parameters() if weight.ndim > 1]
    vectors = [weight for weight in network.parameters() if weight.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": WEIGHT_DECAY},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=BETAS, fused=True)


def _share_of_rate(step: int, steps: int) -> float:
    """Linear warm-up, then half a cosine down to 2 % of the rate."""
    done = step / steps
    if done < WARMUP:
        return done / WARMUP
    return 0.02 + 0.49 * (1 + math.cos(math.pi * (done - WARMUP) / (1 - WARMUP)))


def _loss(network: Any, batch: list[list[Encoded]], row_tokens: int) -> Any:
    """Mean cross-entropy over the learnt tokens of a batch; documents of a row do not see each other."""
    import torch

    ids = torch.zeros((len(batch), row_tokens), dtype=torch.long)
    # Restarted positions are how transformers tells packed documents apart; the unused rest of a
    # row is one more document.
    positions = torch.arange(row_tokens).repeat(len(batch), 1)
    labels = torch.full((len(batch), row_tokens), IGNORED)
    for index, row in enumerate(batch):
        start = 0
        for document in row:
            end = start + len(document.ids)
            ids[index, start:end] = torch.tensor(document.ids)
            positions[index, start:end] = torch.arange(end - start)
            first = start + max(1, document.n_given)
            # A token's label stands at the position that predicts it, one to its left.
            labels[index, first - 1 : end - 1] = ids[index, first:end]
            start = end
        positions[index, start:] = torch.arange(row_tokens - start)
    hidden = network.model(input_ids=ids, position_ids=positions, use_cache=False).last_hidden_state
    learnt = labels != IGNORED
    # Only the learnt positions go through the output layer: they are half of all tokens.
    return torch.nn.functional.cross_entropy(network.lm_head(hidden[learnt]), labels[learnt])
