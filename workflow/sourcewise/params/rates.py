"""Section rates: what tokens cost. It is read by people's commands only, so a new price makes nothing stale."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sourcewise.params.base import Count, Positive, Section

Price = Annotated[float, Field(ge=0.0)]


class Rate(Section):
    """What one teacher's tokens cost; what is null is not known and not guessed.

    `prompt_million` and `completion_million` are the prices of a million tokens at a hosted endpoint.
    On hardware of one's own, `gpus` serve `tokens_per_second` together (null: as measured in this
    working copy), and one of them costs `gpu_hour`. Of `tokens_per_second` given here a job is
    `start_seconds` late, while its engine loads; a measured speed holds that already.
    """

    prompt_million: Price | None = None
    completion_million: Price | None = None
    gpus: Count | None = None
    gpu_hour: Price | None = None
    tokens_per_second: Positive | None = None
    start_seconds: Price = 0.0

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if (self.prompt_million is None) != (self.completion_million is None):
            raise ValueError("give both of the keys 'prompt_million' and 'completion_million'")
        if self.gpu_hour is not None and self.gpus is None:
            raise ValueError("the key 'gpu_hour' needs the key 'gpus'")
        return self


Stage = Literal["perplexity", "train", "sample"]


class Rates(Section):
    """Prices in one currency, by teacher; and of stages that ask no teacher, a job at a time."""

    currency: str
    teachers: dict[str, Rate]
    stages: dict[Stage, Rate] = {}
