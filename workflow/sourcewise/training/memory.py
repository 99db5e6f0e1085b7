"""What to do about a training that needs more memory than there is."""

from __future__ import annotations

from pathlib import Path

from sourcewise.training.job import Job, last_checkpoint

# What torch says where the host's memory ends: a RuntimeError like any other.
HOST = ("can't allocate memory", "not enough memory", "Cannot allocate memory")


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory of the device or of the host ran out."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    told = str(error)
    return isinstance(error, (RuntimeError, OSError)) and (
        "out of memory" in told or any(words in told for words in HOST)
    )


def advice(job: Job, *, device: bool) -> str:
    """Which settings take less memory of the device, or of the host, and which checkpoint is kept."""
    levers = [f"lower train.max_length ({job.train.max_length:,} tokens)"]
    sharding = Path(job.deepspeed).stem
    if not sharding.startswith("zero3"):
        levers.append(f"SOURCEWISE_DEEPSPEED=workflow/deepspeed/zero3.json (now {sharding})")
    if device:
        levers.append(f"more SOURCEWISE_PROCESSES, a GPU each (now {job.processes})")
        if not sharding.endswith("offload"):
            levers.append("workflow/deepspeed/zero3_offload.json, which needs memory of the host")
        levers.append("gradient checkpointing is on already")
    else:
        if sharding.endswith("offload"):
            levers.append("settings of DeepSpeed without offload")
        levers.append("ask the machine for more memory, or spread the processes over more machines")
    kept = last_checkpoint(job)
    return f"{'; '.join(levers)}. Kept: {kept or 'no checkpoint'}"
