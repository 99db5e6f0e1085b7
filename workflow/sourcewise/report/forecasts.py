"""What was forecast of each teacher, against what it took."""

from __future__ import annotations

from typing import NamedTuple

from sourcewise import forecasting
from sourcewise.forecasting import Estimate, TeacherForecast
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
