"""Engine `vllm` beside vLLM itself, and what the engines that run a model here guarantee.

The model is a random Qwen2 of the tests in float32. Both sides have the same vLLM engine in one process, the
same prompts, sampling and seeds, in turns, its start left out; the peer adds all requests and steps until
none is left, as vLLM's own `LLM.generate` does.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from figure import Figure

from sourcewise.engines import vllm as engine_vllm
from sourcewise.engines.contract import Prompt, Request, prompts, stop_tokens
from sourcewise.params.base import Sampling
from sourcewise.tables import Message

sys.path.append(str(Path(__file__).parents[1] / "model"))

REQUESTS, MAX_TOKENS, PAIRS, COMPARED = 512, 64, 5, 64
SAMPLING = Sampling(temperature=0.6, top_p=0.95, max_tokens=MAX_TOKENS)


def figures() -> Iterator[Figure]:
    """The ratio, then the share of texts that stay the same when everything around a request changes."""
    import tiny_qwen

    with tempfile.TemporaryDirectory() as folder:
        model = tiny_qwen.build(Path(folder) / "model", hidden_size=64)
        yield _ratio(str(model))
        for name in ("vllm", "transformers"):
            yield _same(name, str(model))


def _request(number: int) -> Request:
    text = f"{number} " + "and so on " * (number % 7)
    return Request(
        f"{number:032x}", f"{number:032x}", 1, [Message("user", text)], number, MAX_TOKENS
    )


def _ratio(model: str) -> Figure:
    engine_vllm._prepare_environment(model)
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig

    config, tokenizer = AutoConfig.from_pretrained(model), AutoTokenizer.from_pretrained(model)
    fitting, _ = prompts(list(map(_request, range(REQUESTS))), tokenizer, limit=512, system=None)
    ends = sorted(stop_tokens(tokenizer, GenerationConfig.from_model_config(config)))
    longest = max(len(prompt.ids) + prompt.room for prompt in fitting)
    engine = engine_vllm._start(model, "main", config, longest)
    try:
        # The first of each fills the cache of prefixes, which both then find.
        _ours(engine, fitting, ends), _direct(engine, fitting, ends)
        pairs = [
            (_ours(engine, fitting, ends), _direct(engine, fitting, ends)) for _ in range(PAIRS)
        ]
    finally:
        engine.engine_core.shutdown()
    ratio = median(ours / direct for ours, direct in pairs)
    ours, direct = (median(pair[side] for pair in pairs) for side in (0, 1))
    return Figure(
        f"vllm engine, {REQUESTS} requests of up to {MAX_TOKENS} tokens, vLLM {version_of('vllm')}",
        f"{ours:,.0f} tokens/s",
        f"vLLM called directly {direct:,.0f}, ratio {ratio:.3f}",
        "≥ 0.97",
        ratio >= 0.97,
    )


def version_of(engine: str) -> str:
    """The version of an engine's package."""
    if engine == "vllm":
        return engine_vllm.version().split()[-1]
    return version(engine)


def _ours(engine: Any, fitting: list[Prompt], ends: list[int]) -> float:
    start = time.perf_counter()
    batches = engine_vllm._run(engine, fitting, SAMPLING, ends)
    tokens = sum(completion.n_tokens for batch in batches for _, completion in batch)
    return tokens / (time.perf_counter() - start)


def _direct(engine: Any, fitting: list[Prompt], ends: list[int]) -> float:
    from vllm.sampling_params import RequestOutputKind, SamplingParams

    start, tokens = time.perf_counter(), 0
    for number, prompt in enumerate(fitting):
        parameters = SamplingParams(
            temperature=SAMPLING.temperature,
            top_p=SAMPLING.top_p,
            max_tokens=prompt.room,
            seed=prompt.request.seed,
            stop_token_ids=ends,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        engine.add_request(str(number), {"prompt_token_ids": prompt.ids}, parameters)
    while engine.has_unfinished_requests():
        tokens += sum(len(out.outputs[0].token_ids) for out in engine.step() if out.finished)
    return tokens / (time.perf_counter() - start)


def _same(name: str, model: str) -> Figure:
    """The same requests in order, in reverse, by eights, and alone."""
    requests = list(map(_request, range(COMPARED)))
    whole = _texts(name, model, requests)
    others = {
        "reversed": _texts(name, model, requests[::-1]),
        "by eights": {},
        "alone": {one.key: _texts(name, model, [one])[one.key] for one in requests[:2]},
    }
    for start in range(0, COMPARED // 2, 8):
        others["by eights"] |= _texts(name, model, requests[start : start + 8])
    shares = [
        f"{kind} {sum(whole[key] == text for key, text in texts.items())} of {len(texts)}"
        for kind, texts in others.items()
    ]
    return Figure(
        f"texts that stay the same, {name} {version_of(name)}, float32, 2 layers",
        ", ".join(shares),
        "",
        "",
        None,
    )


def _texts(name: str, model: str, requests: list[Request]) -> dict[str, str]:
    module = importlib.import_module(f"sourcewise.engines.{name}")
    batches = module.complete(
        requests, model=model, revision="main", sampling=SAMPLING, system=None
    )
    return {one.key: completion.text for batch in batches for one, completion in batch}
