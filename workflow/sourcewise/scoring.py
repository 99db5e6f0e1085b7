"""Perplexity of responses under a causal model: exp of the mean negative log likelihood of their tokens."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sourcewise.chat import exchanges
from sourcewise.tables import Message

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

TOKENISED_AT_ONCE = 1000
# Positions whose logits exist at once: 1,024 of them over 152,000 tokens are 0.6 GB in float32.
HEAD_POSITIONS = 1024


class Score(NamedTuple):
    """The perplexity of pair number `pair`, over `n_tokens`; `cut` where it was longer than allowed."""

    pair: int
    perplexity: float
    n_tokens: int
    cut: bool


class Piece(NamedTuple):
    """The tokens of a pair, of which the last `n_response` are scored."""

    pair: int
    tokens: list[int]
    n_response: int
    cut: bool


def perplexities(
    pairs: Sequence[tuple[Sequence[Message], str]],
    *,
    model: Path,
    max_tokens: int,
    batch_tokens: int,
) -> Iterator[Score]:
    """Scores (query, response) pairs, the longest first, each given its query under the model's chat template.

    The end of the response's turn counts as one of its tokens. `model` is a Hugging Face directory. At most
    `batch_tokens` tokens, padding included, are read at once, except for a longer single pair.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if not pairs:
        return
    tokenizer = AutoTokenizer.from_pretrained(model)
    gpu = torch.cuda.is_available()
    scorer = AutoModelForCausalLM.from_pretrained(
        model,
        dtype=torch.bfloat16 if gpu else torch.float32,
        device_map="auto" if gpu else None,
    ).eval()
    _check_head(scorer)
    pieces: list[Piece] = []
    for start in range(0, len(pairs), TOKENISED_AT_ONCE):
        some = pairs[start : start + TOKENISED_AT_ONCE]
        turns = [[*query, Message("assistant", response)] for query, response in some]
        for index, (prompt, response) in enumerate(exchanges(tokenizer, turns), start):
            pieces.append(_fit(index, prompt, response, max_tokens))
    for batch in batches(pieces, batch_tokens):
        yield from _score(scorer, batch)


def _fit(index: int, prompt: list[int], response: list[int], limit: int) -> Piece:
    """Cuts a pair to `limit` tokens: a long query loses its beginning, then the response its end."""
    if len(prompt) + len(response) <= limit:
        return Piece(index, prompt + response, len(response), False)
    prompt = prompt[-max(limit // 2, limit - len(response)) :]
    response = response[: limit - len(prompt)]
    return Piece(index, prompt + response, len(response), True)


def batches(pieces: Sequence[Piece], batch_tokens: int) -> Iterator[list[Piece]]:
    """Groups pieces of like length; the longest come first, so that too little memory shows at once."""
    batch: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: (-len(piece.tokens), piece.pair)):
        if batch and (len(batch) + 1) * len(batch[0].tokens) > batch_tokens:
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch


def _score(scorer: PreTrainedModel, batch: Sequence[Piece]) -> Iterator[Score]:
    import torch

    # Padded on the right: a causal model's earlier positions cannot see it.
    width = max(len(piece.tokens) for piece in batch)
    tokens = torch.tensor([p.tokens + [0] * (width - len(p.tokens)) for p in batch])
    mask = torch.tensor([[1] * len(p.tokens) + [0] * (width - len(p.tokens)) for p in batch])
    tokens, mask = tokens.to(scorer.device), mask.to(scorer.device)
    with torch.inference_mode():
        hidden = scorer.base_model(input_ids=tokens, attention_mask=mask, use_cache=False)[0]
        for row, piece in enumerate(batch):
            n = piece.n_response
            end = len(piece.tokens)
            loss = _loss(scorer, hidden[row, end - n - 1 : end - 1], tokens[row, end - n : end])
            yield Score(piece.pair, math.exp(loss / n), n, piece.cut)


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
            f"perplexity.model: {scorer.name_or_path} transforms its logits after the output layer, "
            "which is not supported: choose another scorer"
        )
