"""The file of `sourcewise forecast --out`: what was predicted of each teacher, and what for."""

from __future__ import annotations

import hashlib
from typing import Literal

from pydantic import BaseModel, ConfigDict

from sourcewise.params.distill import Distill, Teacher

SCHEMA = 1


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(_Record):
    """A predicted sum and the ends of its interval."""

    value: float
    low: float
    high: float


class Prediction(_Record):
    """What `queries` queries will take, foretold from the `pilot` ones among them; None is not known."""

    queries: int
    pilot: int
    attempts: Estimate
    accepted: Estimate
    completion_tokens: Estimate
    prompt_tokens: Estimate
    gpu_hours: Estimate | None
    money: Estimate | None
    # Completions and prompts: of the attempts whose perplexity is computed, and of accepted ones.
    scored_tokens: Estimate | None = None
    accepted_tokens: Estimate | None = None


class StageForecast(_Record):
    """What a stage takes: hours of GPUs or of processor cores, and money; None is not known.

    `at_most` says that filters, or recipes of several teachers, may take rows away.
    """

    gpu_hours: Estimate | None = None
    cpu_hours: Estimate | None = None
    money: Estimate | None = None
    at_most: bool = False


class ScheduleForecast(_Record):
    """The hours of the run on so many GPUs, and of its longest chain of jobs, by rule.

    `used` is the share of the GPUs' time, until the last response, in which jobs hold them. `left_out` has
    the stages whose speed is not known.
    """

    gpus: int
    hours: Estimate
    distillation_hours: Estimate
    used: float
    chain: dict[str, float]
    left_out: tuple[str, ...]


class StageActual(_Record):
    """What the ended jobs of a stage took, in hours; None is not known."""

    jobs: int
    failed: int
    hours: float
    gpu_hours: float | None
    cpu_hours: float | None


class Actual(_Record):
    """What `sourcewise account` collected, from Slurm's accounts or from the logs of jobs."""

    created: str
    source: Literal["slurm", "logs"]
    stages: dict[str, StageActual]


class Basis(_Record):
    """What a forecast holds for; `teacher` and `corpus` are digests."""

    teacher: str
    stop_score: float
    max_attempts: int
    corpus: str


class TeacherForecast(_Record):
    """One teacher's predictions; `unknown` are categories of which no query was ever asked.

    `speed` says where `tokens_per_second` is from.
    """

    basis: Basis
    tokens_per_second: float | None
    speed: Literal["rates", "pilot"] | None
    categories: dict[str, Prediction]
    unknown: tuple[str, ...]
    total: Prediction


class Forecast(_Record):
    """The file of `sourcewise forecast --out`; `schema_version` grows when its meaning changes."""

    schema_version: int
    created: str
    seed: int
    pilot: int
    level: float
    currency: str | None
    teachers: dict[str, TeacherForecast]
    total: Prediction
    stages: dict[str, StageForecast] = {}
    schedule: ScheduleForecast | None = None
    actual: Actual | None = None


def basis(teacher: Teacher, distill: Distill, manifest: str) -> Basis:
    """What a forecast for a teacher holds for; `manifest` is the text of the corpus's manifest."""
    return Basis(
        teacher=_digest(teacher.model_dump_json(by_alias=True)),
        stop_score=distill.stop_score,
        max_attempts=distill.max_attempts,
        corpus=_digest(manifest),
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def differences(made: Basis, now: Basis) -> list[str]:
    """What is not as it was when a forecast was made, in words."""
    found = ["another corpus"] if made.corpus != now.corpus else []
    if made.teacher != now.teacher:
        found.append("other settings of the teacher")
    for name in ("stop_score", "max_attempts"):
        before, after = getattr(made, name), getattr(now, name)
        if before != after:
            found.append(f"{name} {before:g} instead of {after:g}")
    return found
