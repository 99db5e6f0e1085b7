"""Scores by vLLM: the prompt log probabilities of query and response, a batch at a time."""

from __future__ import annotations

import gc
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sourcewise.engines import vllm
from sourcewise.engines.startup import lean_imports
from sourcewise.scoring.pieces import Piece, Score, check_context, check_vocabulary, score


def scores(batches: Iterable[Sequence[Piece]], model: Path, longest: int) -> Iterator[list[Score]]:
    """The scores of each batch under the model of a Hugging Face folder; no piece is longer than `longest`.

    Raises ValueError for a model with fewer positions or tokens.
    """
    vllm.prepare_environment(str(model))
    # vLLM writes at least one token behind what it reads, which may be all that the model has positions for.
    os.environ.setdefault("VLLM_ALLOW_LONG_MAX_MODEL_LEN", "1")
    with lean_imports():
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(model)
        check_context(config, longest, model)
        dtype = "bfloat16" if vllm.has_gpu() else "float32"
        engine = vllm.start(str(model), "main", config, longest + 1, dtype=dtype)
    try:
        for batch in batches:
            check_vocabulary(batch, config.get_text_config().vocab_size, model)
            yield _scores(engine, batch)
    finally:
        engine.engine_core.shutdown()
        # Shutting down thaws what was frozen, and the exit would then search all of it: 3 s.
        gc.freeze()


def _scores(engine: Any, batch: Sequence[Piece]) -> list[Score]:
    from vllm.sampling_params import RequestOutputKind, SamplingParams

    for number, piece in enumerate(batch):
        parameters = SamplingParams(
            temperature=0.0,
            max_tokens=1,
            prompt_logprobs=0,
            flat_logprobs=True,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        engine.add_request(str(number), {"prompt_token_ids": piece.tokens.tolist()}, parameters)
    found: dict[int, Score] = {}
    while len(found) < len(batch):
        for output in engine.step():
            if output.finished:
                number = int(output.request_id)
                found[number] = score(batch[number], _loss(batch[number], output.prompt_logprobs))
    return [found[number] for number in range(len(batch))]


def _loss(piece: Piece, given: Any) -> float:
    """The summed negative log likelihood of the response; `given` has an entry for each token."""
    start = len(piece.tokens) - piece.n_response
    # Of each position the token that stands there comes first.
    said = (given.logprobs[given.start_indices[place]] for place in range(start, len(piece.tokens)))
    return -math.fsum(said)
