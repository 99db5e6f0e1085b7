"""Engine `transformers`: a small generation loop of our own over a causal model in this process.

Starts fast and runs everywhere. Every request draws its random numbers from a generator of its own, so a
text depends on what else is in its batch only through the rounding of the model's arithmetic. On a CPU
float32 weights are computed with in float64: of 4,900 texts of random models four changed with the size
of the batch in float32, and of 4,300 none does in float64, for a third more time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib.metadata import version as distribution_version
from typing import TYPE_CHECKING, Any

from sourcewise import pretrained
from sourcewise.engines.contract import (
    Batch,
    Completion,
    Prompt,
    Request,
    prompts,
    stop_tokens,
)
from sourcewise.engines.startup import lean_imports, prepare
from sourcewise.params.base import Sampling

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 64


def version() -> str:
    """What the ledger records as the engine."""
    return f"transformers {distribution_version('transformers')}"


def complete(
    requests: Sequence[Request],
    *,
    model: str,
    revision: str,
    sampling: Sampling,
    system: str | None,
) -> Iterator[Batch]:
    """Generates in batches of requests of similar length and yields each as it ends."""
    prepare(model)
    with lean_imports():
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(model, revision=revision)
        config = AutoConfig.from_pretrained(model, revision=revision)
        network = AutoModelForCausalLM.from_pretrained(
            model,
            revision=revision,
            dtype="auto",
            attn_implementation=pretrained.attention(config),
        )
    network = _placed(network.eval())
    limit = network.config.get_text_config().max_position_embeddings
    ends = stop_tokens(tokenizer, network.generation_config)
    fitting, too_long = prompts(requests, tokenizer, limit=limit, system=system)
    if too_long:
        yield too_long
    # Rows of like length share a batch: little padding, and they tend to end together.
    fitting.sort(key=lambda prompt: (len(prompt.ids), prompt.room))
    # A smaller batch takes more steps, a larger one more memory; what is generated stays the same.
    size = int(os.environ.get("SOURCEWISE_BATCH_SIZE", BATCH))
    for start in range(0, len(fitting), size):
        chunk = fitting[start : start + size]
        with torch.inference_mode():
            written = _generate(network, chunk, sampling, ends)
        yield [
            (prompt.request, _completion(tokenizer, prompt, ids, ends))
            for prompt, ids in zip(chunk, written, strict=True)
        ]


def _placed(network: Any) -> Any:
    import torch

    if torch.cuda.is_available():
        return network.to("cuda")
    # The eager softmax is one of float32, in which float64's mask of padding is minus infinity: no number.
    exact = network.dtype == torch.float32 and network.config._attn_implementation != "eager"
    return network.double() if exact else network


def _completion(tokenizer: Any, prompt: Prompt, ids: list[int], ends: set[int]) -> Completion:
    ended = ids[-1] in ends
    text = tokenizer.decode(ids[:-1] if ended else ids, skip_special_tokens=True)
    return Completion(text, "stop" if ended else "length", len(ids), len(prompt.ids))


def _generate(
    network: Any, chunk: Sequence[Prompt], sampling: Sampling, ends: set[int]
) -> list[list[int]]:
    """The new tokens of each prompt, its end token included; ended rows leave the batch."""
    import torch

    ids, mask = _left_padded(chunk, network.device)
    position = (mask.cumsum(1) - 1).clamp(min=0)
    draws = _draws(chunk)
    written: list[list[int]] = [[] for _ in chunk]
    rows, cache = list(range(len(chunk))), None
    while rows:
        out = network(
            input_ids=ids,
            attention_mask=mask,
            position_ids=position,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache = out.past_key_values
        uniform = [draws[row][len(written[row])] for row in rows]
        token = _pick(out.logits[:, -1], uniform, sampling)
        for row, one in zip(rows, token.tolist(), strict=True):
            written[row].append(one)
        going = [
            place
            for place, row in enumerate(rows)
            if written[row][-1] not in ends and len(written[row]) < chunk[row].room
        ]
        if len(going) < len(rows):
            keep = torch.tensor(going, dtype=torch.long, device=network.device)
            rows = [rows[place] for place in going]
            cache.batch_select_indices(keep)
            token, mask, position = token[keep], mask[keep], position[keep]
        ids, position = token[:, None], position[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
    return written


def _left_padded(chunk: Sequence[Prompt], device: Any) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask; what stands under the padding is never looked at."""
    import torch

    longest = max(len(prompt.ids) for prompt in chunk)
    pads = [longest - len(prompt.ids) for prompt in chunk]
    ids = [[0] * n + prompt.ids for n, prompt in zip(pads, chunk, strict=True)]
    mask = [[0] * n + [1] * (longest - n) for n in pads]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def _draws(chunk: Sequence[Prompt]) -> list[list[float]]:
    """Each request's uniform numbers, one a token, from its own seed."""
    import torch

    return [
        torch.rand(p.room, generator=torch.Generator().manual_seed(p.request.seed)).tolist()
        for p in chunk
    ]


def _pick(logits: Tensor, uniform: list[float], sampling: Sampling) -> Tensor:
    """One token a row: greedy at temperature 0, else from the smallest set that holds `top_p`."""
    import torch

    if sampling.temperature == 0:
        return logits.argmax(-1)
    # In bfloat16 a cumulative sum stands still long before it reaches 1.
    probability = (logits.double() / sampling.temperature).softmax(-1)
    if sampling.top_p < 1:
        descending = probability.sort(descending=True).values
        before = descending.cumsum(-1) - descending
        least = descending.masked_fill(before >= sampling.top_p, 2.0).min(-1, keepdim=True).values
        probability = probability.masked_fill(probability < least, 0.0)
    # In the order of the vocabulary: sorted, two nearly equal tokens could swap with the rounding.
    rising = probability.cumsum(-1)
    point = torch.tensor(uniform, dtype=torch.float64, device=logits.device)[:, None]
    return torch.searchsorted(rising, point * rising[:, -1:], right=True)[:, 0]
