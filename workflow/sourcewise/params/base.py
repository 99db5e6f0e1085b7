"""What every section of params.yaml is: frozen, strict, without hidden defaults."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A part of params.yaml: unknown keys are refused and values cannot change after reading."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=())


Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]
Whole = Annotated[int, Field(ge=0)]


class Sampling(Section):
    """How text is drawn from a model; part of the identity of an attempt."""

    temperature: Annotated[float, Field(ge=0.0)]
    top_p: Annotated[float, Field(gt=0.0, le=1.0)]
    max_tokens: Count
