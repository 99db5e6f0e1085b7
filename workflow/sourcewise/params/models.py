"""Section models: tiny models that the pipeline trains from scratch, so that nothing has to be downloaded."""

from __future__ import annotations

from sourcewise.params.base import Count, Positive, Section, Whole


class Pretrain(Section):
    """A Qwen2 model trained from scratch on synthetic problems in one style of writing."""

    style: str
    hidden_size: Count
    layers: Count
    heads: Count
    kv_heads: Count
    intermediate_size: Count
    steps: Count
    learning_rate: Positive
    batch_rows: Count
    row_tokens: Count
    seed: Whole
