"""What was forecast of each teacher, against what it took."""

from __future__ import annotations

from typing import NamedTuple

from sourcewise import forecasting
from sourcewise.forecasting import Estimate, StageActual, StageForecast, TeacherForecast
from sourcewise.report.gathered import Gathered
from sourcewise.report.teachers import TeacherNumbers


class Outcome(NamedTuple):
    """A quantity as it was forecast and as it came."""

    name: str
    forecast: Estimate
    actual: int

    @property
    def is_inside(self) -> bool:
        """Whether it came within the interval; the draws are whole, the interval's ends need not be."""
        return self.forecast.low - 0.5 <= self.actual <= self.forecast.high + 0.5


class ForecastRow(NamedTuple):
    """A teacher's outcomes, and why its forecast need not hold for this run."""

    teacher: str
    pilot: int
    outcomes: list[Outcome]
    reasons: list[str]


class CostRow(NamedTuple):
    """The GPU-hours of a stage as forecast and as they came, and of each accepted row."""

    stage: str
    forecast: Estimate | None
    at_most: bool
    actual: StageActual
    per_row: float | None

    @property
    def is_inside(self) -> bool | None:
        """Whether they came within the interval, or below it where it says at most; None where unknown."""
        hours = self.actual.gpu_hours
        if self.forecast is None or hours is None:
            return None
        return (self.at_most or self.forecast.low <= hours) and hours <= self.forecast.high


def costs(gathered: Gathered) -> list[CostRow]:
    """A row for each stage whose jobs were collected; none where no forecast was joined by what came."""
    forecast = gathered.forecast
    if forecast is None or forecast.actual is None:
        return []
    accepted = sum(one.n_accepted for one in gathered.teachers)
    nothing = StageForecast()
    found = []
    for name, actual in forecast.actual.stages.items():
        foretold = forecast.stages.get(name, nothing)
        hours = actual.gpu_hours
        per_row = hours * 3600 / accepted if hours is not None and accepted else None
        found.append(CostRow(name, foretold.gpu_hours, foretold.at_most, actual, per_row))
    return found


def rows(gathered: Gathered) -> list[ForecastRow]:
    """A row for each teacher of this run that the forecast knows; none where there is no forecast."""
    if gathered.forecast is None:
        return []
    forecast = gathered.forecast.teachers
    return [
        _row(one, forecast[one.name], gathered) for one in gathered.teachers if one.name in forecast
    ]


def _row(numbers: TeacherNumbers, forecast: TeacherForecast, gathered: Gathered) -> ForecastRow:
    foretold = forecast.total
    outcomes = [
        Outcome("attempts", foretold.attempts, numbers.n_responses),
        Outcome("accepted queries", foretold.accepted, numbers.n_accepted),
        Outcome("completion tokens", foretold.completion_tokens, numbers.n_tokens),
    ]
    reasons = forecasting.differences(forecast.basis, gathered.bases[numbers.name])
    if forecast.unknown:
        reasons.append(f"nothing was known of {', '.join(forecast.unknown)}")
    if gathered.distill.futility is not None:
        reasons.append("distill.futility may have ended the loop earlier")
    return ForecastRow(numbers.name, foretold.pilot, outcomes, reasons)
