"""The README.md of a student: what it was made from and how."""

from __future__ import annotations

import json
from typing import Any

from sourcewise.training.job import Job


def model_card(job: Job, dataset: str, numbers: dict[str, Any]) -> str:
    """A model card in the hub's form; it names the base, and the dataset by the digest of its examples."""
    header = {"library_name": "transformers", "pipeline_tag": "text-generation"}
    if not job.train.base.startswith(("models/", "/", ".")):
        header["base_model"] = job.train.base
    fields = "\n".join(f"{name}: {json.dumps(value)}" for name, value in header.items())
    settings = job.train.model_dump(mode="json") | {"seed": job.seed}
    rows = "\n".join(f"| {name} | {json.dumps(value)} |" for name, value in settings.items())
    return f"""---
{fields}
---

# {job.name}

{job.train.base} (revision {job.train.revision}), fine-tuned on the dataset `{dataset}` by Sourcewise.

- {numbers["examples"]:,} examples, {numbers["excluded_too_long"]:,} of them too long and left out;
  {numbers["tokens_per_epoch"]:,} tokens an epoch, {numbers["response_tokens_per_epoch"]:,} of them with loss
- {numbers["steps"]:,} steps, {numbers["epochs"]:g} epochs, final loss {numbers["final_loss"]:.4f}
- SHA-256 of the dataset's `examples.parquet`: `{job.inputs["examples"]}`
- {job.inputs["packages"]}

| setting | value |
|---|---|
{rows}
"""
