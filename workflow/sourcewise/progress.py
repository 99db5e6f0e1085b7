"""How far a long job is: a line on stderr (its log) every few seconds, with the time that is left."""

from __future__ import annotations

import sys
import time

EARLY, EARLY_SECONDS = 0.05, 60.0


class Progress:
    """Counts work of a known size and says so; `unit` is a plural noun."""

    def __init__(self, label: str, total: int, unit: str, *, every: float = 5.0) -> None:
        self._label, self._total, self._unit, self._every = label, total, unit, every
        self._start = self._said = time.monotonic()
        self.done = 0

    def advance(self, n: int = 1) -> None:
        """Counts n more; prints when the last line is old enough."""
        self.done += n
        now = time.monotonic()
        if now - self._said >= self._every and self.done < self._total:
            self._said = now
            spent = now - self._start
            left = f", about {duration(spent / self.done * (self._total - self.done))} left"
            # The first few of many say little: start-up would be counted for each of them.
            early = self.done < self._total * EARLY and spent < EARLY_SECONDS
            print(f"{self._line()}{'' if early else left}", file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Prints the closing line."""
        spent = time.monotonic() - self._start
        print(f"{self._line()} in {duration(spent)}", file=sys.stderr, flush=True)

    def _line(self) -> str:
        share = 100 * self.done // self._total if self._total else 100
        return f"{self._label}: {self.done:,} of {self._total:,} {self._unit} ({share} %)"


def duration(seconds: float) -> str:
    """A time span as a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
