"""How far a command is, for people: a bar that is redrawn on a terminal, else a line now and then."""

from __future__ import annotations

import shutil
import sys
import time

from sourcewise.progress import EARLY, EARLY_SECONDS, duration

REDRAW, LINE = 0.1, 10.0  # seconds
WIDTH = 24


class Bar:
    """Counts rows; the share that is done is a share of the file's bytes, which are known before its rows."""

    def __init__(self, label: str, total_bytes: int) -> None:
        self._label, self._total = label, max(1, total_bytes)
        self._terminal = sys.stderr.isatty()
        self._start = self._shown = time.monotonic()
        self.rows = 0

    def advance(self, done_bytes: int) -> None:
        """One more row, which ends at this byte."""
        self.rows += 1
        now = time.monotonic()
        if now - self._shown >= (REDRAW if self._terminal else LINE):
            self._shown = now
            self._show(min(1.0, done_bytes / self._total))

    def say(self, text: str) -> None:
        """A line of its own on stderr."""
        self._clear()
        print(text, file=sys.stderr, flush=True)

    def finish(self) -> float:
        """Takes the bar away and returns the seconds since the start."""
        self._clear()
        return time.monotonic() - self._start

    def _show(self, share: float) -> None:
        spent = time.monotonic() - self._start
        early = share < EARLY and spent < EARLY_SECONDS
        left = "" if early else f", about {duration(spent / share * (1 - share))} left"
        text = f"{self._label}: {self.rows:,} rows ({100 * share:.0f} %){left}"
        if not self._terminal:
            print(text, file=sys.stderr, flush=True)
            return
        full = round(WIDTH * share)
        bar = f"[{'█' * full}{'░' * (WIDTH - full)}] {text}"
        columns = shutil.get_terminal_size().columns
        print(f"\r\x1b[2K{bar[: columns - 1]}", end="", file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self._terminal:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
