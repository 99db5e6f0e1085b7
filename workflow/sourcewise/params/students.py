"""Sections that make and measure students: train, students, sampling, report."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sourcewise.params.base import Count, Fraction, Positive, Sampling, Section, Whole


class Train(Section):
    """SFT settings, the same for every student (paper §7). Batches count packed rows of `max_length` tokens."""

    base: str
    revision: str
    learning_rate: Positive
    warmup_fraction: Fraction
    epochs: Positive | None
    max_steps: Count | None
    max_length: Count
    global_batch: Count
    packing: bool
    adam_betas: tuple[Fraction, Fraction]
    weight_decay: Annotated[float, Field(ge=0.0)]
    max_grad_norm: Positive
    precision: Literal["float32", "bfloat16"]
    system: str | None


class Student(Section):
    """A base model trained on one dataset; without a dataset it is the untrained base, for comparison."""

    dataset: str | None
    seed: Whole


class BenchmarkSampling(Section):
    """How students are asked at benchmarks (paper §8)."""

    engine: Literal["vllm", "transformers"]
    system: str | None
    sampling: Sampling


class Report(Section):
    """Level of the intervals, sign patterns of a permutation test, and the student others are set against.

    `audit` is a file that `sourcewise audit --out` wrote, under data/raw; the page then shows how often
    verifiers err. `forecast` is one of `sourcewise forecast --out`; the page sets it against what came.
    """

    confidence: Annotated[float, Field(ge=0.5, lt=1.0)]
    resamples: Annotated[int, Field(ge=1000)]
    reference: str | None
    title: str
    audit: str | None
    forecast: str | None
