"""Section models: tiny models that the pipeline trains from scratch, so that nothing has to be downloaded."""

from __future__ import annotations

from typing import Literal

from sourcewise.params.base import Count, Fraction, Positive, Section, Whole


class Problems(Section):
    """How many problems of each task a model is trained on, and how many lines of bare equations."""

    arithmetic: Whole
    multi_turn: Whole
    code: Whole
    instruction: Whole
    drills: Whole


class Pretrain(Section):
    """A Qwen2 model trained from scratch on synthetic problems in one style of writing.

    `label_noise` is the share of traces with a wrong answer. A step reads `batch_rows` rows of
    `row_tokens` tokens, documents packed.
    """

    style: Literal["terse", "steps", "verbose", "mixed", "plain"]
    problems: Problems
    label_noise: Fraction
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
