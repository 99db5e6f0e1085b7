"""Queries and responses as tokens, cut to what a scorer may read, in batches of like length."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sourcewise.chat import exchanges
from sourcewise.tables import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TOKENISED_AT_ONCE = 1000

Tokens = npt.NDArray[np.int32]


class Piece(NamedTuple):
    """The tokens of a pair, of which the last `n_response` are scored; `cut` where some were left out."""

    pair: int
    tokens: Tokens
    n_response: int
    cut: bool


class Score(NamedTuple):
    """The perplexity of pair number `pair`, over `n_tokens`; `cut` where it was longer than allowed."""

    pair: int
    perplexity: float
    n_tokens: int
    cut: bool


def score(piece: Piece, loss: float) -> Score:
    """Of the summed negative log likelihood; infinite where exp has no number for it."""
    mean = loss / piece.n_response
    # The largest number is exp(709.78); what is no number stays none.
    perplexity = math.inf if mean > 709 else math.exp(mean)
    return Score(piece.pair, perplexity, piece.n_response, piece.cut)


def tokenizer_of(model: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model's folder."""
    from transformers import AutoTokenizer

    found: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(model)
    return found


def pieces(
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[tuple[Sequence[Message], str]],
    max_tokens: int,
) -> Iterator[Piece]:
    """The (query, response) pairs as the scorer reads them, each query under its chat template.

    The end of the response's turn counts as one of its tokens; of an empty response it is the only one.
    """
    for start in range(0, len(pairs), TOKENISED_AT_ONCE):
        some = pairs[start : start + TOKENISED_AT_ONCE]
        turns = [[*query, Message("assistant", response)] for query, response in some]
        for number, (prompt, response) in enumerate(exchanges(tokenizer, turns), start):
            yield fit(number, prompt, response, max_tokens)


def fit(pair: int, prompt: list[int], response: list[int], limit: int) -> Piece:
    """Cuts a pair to `limit` tokens, 2 or more: a long query loses its beginning, then the response its end."""
    cut = len(prompt) + len(response) > limit
    if cut:
        prompt = prompt[-max(limit // 2, limit - len(response)) :]
        response = response[: limit - len(prompt)]
    return Piece(pair, np.array([*prompt, *response], np.int32), len(response), cut)


def batches(pieces: Sequence[Piece], batch_tokens: int) -> Iterator[list[Piece]]:
    """Groups pieces of like length; the longest come first, so that too little memory shows at once.

    A batch holds at most `batch_tokens` tokens, padding included, or a longer piece alone.
    """
    batch: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: (-len(piece.tokens), piece.pair)):
        if batch and (len(batch) + 1) * len(batch[0].tokens) > batch_tokens:
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch


def check_vocabulary(batch: Sequence[Piece], n_vocabulary: int, model: Path) -> None:
    """Refuses tokens that the model has no weights for: one would end in a crash, on a GPU without a word."""
    highest = max(int(piece.tokens.max()) for piece in batch)
    if highest >= n_vocabulary:
        raise ValueError(
            f"perplexity: the tokenizer of {model} writes token {highest}, its model knows "
            f"{n_vocabulary:,} tokens: choose a scorer whose tokenizer and weights belong together"
        )


def check_context(config: Any, longest: int, model: Path) -> None:
    """Refuses texts that are longer than the model's context."""
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    if positions is not None and longest > positions:
        raise ValueError(
            f"perplexity: a text has {longest:,} tokens, {model} reads {positions:,} "
            "(max_position_embeddings in its config.json): lower max_tokens of this scorer"
        )
