"""How far a long job is: a line a minute in its log, or one that is redrawn where a person watches."""

from __future__ import annotations

import sys
import time

EARLY, EARLY_SECONDS = 0.05, 60.0
LOG_SECONDS, SCREEN_SECONDS = 60.0, 0.5


class Progress:
    """Counts work of a known size and says so; `unit` is a plural noun."""

    def __init__(self, label: str, total: int, unit: str) -> None:
        self._label, self._total, self._unit = label, total, unit
        self._start = self._said = time.monotonic()
        self.done = 0

    def advance(self, n: int = 1) -> None:
        """Counts n more; prints when the last line is old enough."""
        self.done += n
        now = time.monotonic()
        if now - self._said >= pace() and self.done < self._total:
            self._said = now
            say(f"{self._line()}{left(now - self._start, self.done, self._total)}")

    def finish(self) -> None:
        """Prints the closing line."""
        spent = time.monotonic() - self._start
        say(f"{self._line()} in {duration(spent)}", last=True)

    def _line(self) -> str:
        return f"{self._label}: {portion(self.done, self._total)} {self._unit}{share(self.done, self._total)}"


def pace() -> float:
    """Seconds between two lines."""
    return SCREEN_SECONDS if sys.stderr.isatty() else LOG_SECONDS


def say(line: str, *, last: bool = False) -> None:
    """Prints a line of progress; on a terminal over the one before."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="\n" if last else "", file=sys.stderr, flush=True)
    else:
        print(line, file=sys.stderr, flush=True)


def portion(done: int, total: int) -> str:
    """So many of so many."""
    return f"{done:,} of {total:,}"


def share(done: int, total: int) -> str:
    """The per cent that are done."""
    return f" ({100 * done // total if total else 100} %)"


def left(spent: float, done: int, total: int) -> str:
    """The time that is left at the pace so far; nothing while that says little."""
    # The first few of many say little: start-up would be counted for each of them.
    if not done or (done < total * EARLY and spent < EARLY_SECONDS):
        return ""
    return f", about {duration(spent / done * (total - done))} left"


def duration(seconds: float) -> str:
    """A time span as a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
