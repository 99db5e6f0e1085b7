"""What is known of the model calls of a run before it runs: numbers, and how sure they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Why a number is not exact.
REMADE = "fewer, if its model comes out the same"
QUERIES = "as many queries as now"
SOURCES = "as many as the sources can give"
UNKNOWN = "not known before the queries are collected"
VERDICTS = "by the verdicts so far, which are judged anew"
SHARE = "by the share accepted so far"
READINGS = "two readings of each response"
UNMEASURED = "fewer, as answers are accepted"


@dataclass
class Calls:
    """What one model would be asked.

    `calls` is None where it cannot be told before the queries exist. `exact`: a run asks this and no
    other number; `at_most`: it may ask fewer; `reason` says why. `found` answers are in the ledger
    already. `tokens` are those to be written: by the mean of such responses, or by the limit where
    `measured` is false.
    """

    model: str
    role: str
    calls: float | None = 0.0
    exact: bool = True
    at_most: bool = False
    reason: str = ""
    found: int = 0
    tokens: float | None = 0.0
    measured: bool = True

    def add(self, calls: float) -> None:
        """Counts more."""
        self.calls = None if self.calls is None else self.calls + calls

    def expect(self, reason: str, *, at_most: bool = False) -> None:
        """Notes why the number is no exact one; a bound stays a bound."""
        self.exact, self.reason = False, self.reason or reason
        self.at_most = self.at_most or at_most

    def unknown(self) -> None:
        """Says that nobody can tell."""
        self.calls = self.tokens = None
        self.expect(UNKNOWN)

    def lengthen(self, mean: float | None, most: int) -> None:
        """Multiplies calls by the tokens of one."""
        if self.calls is not None:
            self.tokens, self.measured = self.calls * (mean or most), mean is not None


@dataclass
class Reading:
    """The jobs of one dry run; `changed` are those whose own parameters or code changed."""

    stale: set[Any]
    jobs: dict[tuple[str, frozenset[tuple[str, str]]], Any]
    producers: dict[str, Any]
    changed: set[Any] = field(default_factory=set)

    def job(self, rule: str, wildcards: Mapping[str, str]) -> Any:
        """A job by its rule and wildcards; None where there is no such job."""
        return self.jobs.get((rule, frozenset(wildcards.items())))

    def of_rule(self, rule: str) -> Iterator[Any]:
        """All jobs of a rule."""
        return (job for (name, _), job in self.jobs.items() if name == rule)

    def sure(self, file: str) -> bool:
        """Whether a file lies there as the jobs of the run will see it."""
        return self.producers.get(file) not in self.stale and Path(file).exists()


@dataclass
class Open:
    """The queries that a round asks, each with its probability; `sure` when they are known for certain.

    `accepted` are those that the round before will have closed.
    """

    queries: dict[str, float]
    sure: bool
    reason: str
    at_most: bool = False
    accepted: float = 0.0

    def doubt(self, reason: str) -> None:
        """Notes why the queries are no longer certain; the first reason counts."""
        self.reason = reason if self.sure else self.reason
        self.sure = False
