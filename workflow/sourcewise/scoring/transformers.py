"""Scores by transformers: one forward pass a batch, and logits of the responses only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sourcewise import pretrained
from sourcewise.scoring.pieces import Piece, Score, check_context, check_vocabulary, score

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

# Positions whose logits exist at once: 1,024 of them over 152,000 tokens are 0.6 GB in float32.
HEAD_POSITIONS = 1024


def scores(batches: Iterable[Sequence[Piece]], model: Path, longest: int) -> Iterator[list[Score]]:
    """The scores of each batch under the model of a Hugging Face folder; no piece is longer than `longest`.

    Raises ValueError for a model with fewer positions or tokens, or whose logits are not the output layer's.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    gpu = torch.cuda.is_available()
    scorer = AutoModelForCausalLM.from_pretrained(
        model,
        dtype=torch.bfloat16 if gpu else torch.float32,
        device_map="auto" if gpu else None,
        attn_implementation=pretrained.attention(AutoConfig.from_pretrained(model)),
    ).eval()
    check_context(scorer.config, longest, model)
    _check_head(scorer)
    for batch in batches:
        check_vocabulary(batch, scorer.get_input_embeddings().num_embeddings, model)
        yield list(_score(scorer, batch))


def _score(scorer: PreTrainedModel, batch: Sequence[Piece]) -> Iterator[Score]:
    import torch

    # Padded on the right, which a causal model's earlier positions cannot see: a mask would only cost time.
    width = max(len(piece.tokens) for piece in batch)
    tokens = torch.zeros(len(batch), width, dtype=torch.long)
    for row, piece in enumerate(batch):
        tokens[row, : len(piece.tokens)] = torch.from_numpy(piece.tokens)
    tokens = tokens.to(scorer.device)
    with torch.inference_mode():
        hidden = scorer.base_model(input_ids=tokens, use_cache=False)[0]
        for row, piece in enumerate(batch):
            end, n = len(piece.tokens), piece.n_response
            loss = _loss(scorer, hidden[row, end - n - 1 : end - 1], tokens[row, end - n : end])
            yield score(piece, loss)


def _loss(scorer: PreTrainedModel, hidden: Tensor, targets: Tensor) -> float:
    """The summed negative log likelihood of the targets; logits in slices, because they are the memory."""
    from torch.nn.functional import cross_entropy

    head = scorer.get_output_embeddings()
    slices = zip(hidden.split(HEAD_POSITIONS), targets.split(HEAD_POSITIONS), strict=True)
    return sum(
        cross_entropy(head(states).float(), wanted.to(states.device), reduction="sum").item()
        for states, wanted in slices
    )


def _check_head(scorer: PreTrainedModel) -> None:
    """Some models scale or cap their logits after the output layer; these cannot be scored in slices."""
    import torch

    tokens = (
        torch.arange(8, device=scorer.device)[None] % scorer.config.get_text_config().vocab_size
    )
    with torch.inference_mode():
        whole = scorer(tokens, use_cache=False).logits.float()
        states = scorer.base_model(input_ids=tokens, use_cache=False)[0]
        sliced = scorer.get_output_embeddings()(states).float()
    if not torch.allclose(whole.to(sliced.device), sliced, atol=1e-2, rtol=1e-2):
        raise ValueError(
            f"perplexity: {scorer.name_or_path} transforms its logits after the output layer, "
            "which is not supported: choose another scorer"
        )
