"""What the verdicts on a file amount to, as a table for people."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from sourcewise.progress import duration
from sourcewise.tables import STATUSES, Verdict

VERIFIED = 0.9


class Summary:
    """Counts verdicts; None stands for a malformed row."""

    def __init__(self) -> None:
        self._statuses: Counter[str] = Counter()
        self._by: Counter[str] = Counter()
        self._total = 0.0
        self._verified = 0
        self.malformed = 0

    def add(self, verdict: Verdict | None) -> None:
        """One more row."""
        if verdict is None:
            self.malformed += 1
            return
        self._statuses[verdict.status] += 1
        self._by[f"{verdict.verifier} {verdict.verifier_version}"] += 1
        if verdict.score is not None:
            self._total += verdict.score
            self._verified += verdict.score >= VERIFIED

    @property
    def judged(self) -> int:
        """Rows with a verdict."""
        return self._statuses.total()

    def text(self, *, name: str, seconds: float, limits: Path) -> str:
        """A line a status, and what scores and speed come to."""
        n = self.judged
        rows = {status: self._statuses[status] for status in STATUSES if self._statuses[status]}
        rows |= {"malformed": self.malformed} if self.malformed else {}
        every = n + self.malformed
        lines = [f"{'status':<16}{'rows':>12}{'share':>10}"]
        lines += [
            f"{status:<16}{count:>12,}{100 * count / every:>8.1f} %"
            for status, count in rows.items()
        ]
        scored = self._statuses["scored"]
        mean = f"{self._total / scored:.3f}" if scored else "–"
        speed = f"{every / seconds:,.0f} rows/s" if seconds > 0 else ""
        by = ", ".join(f"{verifier} ({count:,})" for verifier, count in sorted(self._by.items()))
        return "\n".join(
            [
                *lines,
                f"verified (score ≥ {VERIFIED:g}): {self._verified:,} of {n:,} judged rows "
                f"({100 * self._verified / n:.1f} %); mean score {mean}",
                f"{name}: {every:,} rows in {duration(seconds)}, {speed}; verifiers {by}; limits of "
                f"{limits}",
            ]
        )
