"""Sections that make and measure students: train, students, sampling, report."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sourcewise.params.base import Count, Fraction, Positive, Sampling, Section, Whole


class Train(Section):
    """SFT settings, the same for every student (paper §7). Batches count packed rows of `max_length` tokens.

    `chat_template` is null for the base's own, `ours` for ChatML, or a Jinja file under data/raw.
    """

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
    chat_template: str | None


class Base(Section):
    """Another model to start from than `train.base`."""

    model: str
    revision: str


class Student(Section):
    """A base model trained on one dataset; without a dataset it is the untrained base, for comparison.

    `base` is what it starts from where that is not `train.base`: a student of another architecture.
    """

    dataset: str | None
    seed: Whole
    base: Base | None = None

    def settings(self, train: Train) -> Train:
        """The settings of this student's training."""
        if self.base is None:
            return train
        return train.model_copy(update={"base": self.base.model, "revision": self.base.revision})


class BenchmarkSampling(Section):
    """How students are asked at benchmarks (paper §8)."""

    engine: Literal["vllm", "transformers"]
    system: str | None
    sampling: Sampling


class Experiment(Section):
    """A question that students answer: `arms`, the `baseline` among them, compared at `benchmarks`."""

    question: str
    arms: Annotated[tuple[str, ...], Field(min_length=2)]
    baseline: str
    benchmarks: Annotated[tuple[str, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.baseline not in self.arms:
            raise ValueError(f"'baseline' {self.baseline!r} is none of the arms {list(self.arms)}")
        for key in ("arms", "benchmarks"):
            if len(set(getattr(self, key))) < len(getattr(self, key)):
                raise ValueError(f"{key!r} names one of {list(getattr(self, key))} twice")
        return self


class Report(Section):
    """Level of the intervals, sign patterns of a permutation test, and the student others are set against.

    `audit` is a file that `sourcewise audit --out` wrote, under data/raw; the page then shows how often
    verifiers err. `forecast` is one of `sourcewise forecast --out`; the page sets it against what came.
    Each of `experiments` is a section of the page.
    """

    confidence: Annotated[float, Field(ge=0.5, lt=1.0)]
    resamples: Annotated[int, Field(ge=1000)]
    reference: str | None
    title: str
    audit: str | None
    forecast: str | None
    experiments: dict[str, Experiment] = {}
