"""Judges a stream of rows of several categories, in order and in little memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from sourcewise.commands.rows import Row
from sourcewise.grading.attempts import Attempt, Judged
from sourcewise.params.distill import Verifiers
from sourcewise.stages import verify

# Verifiers ask for batches of up to 512; a category that is rarer than one row in so many is judged alone.
AHEAD = 4096

Judgement = tuple[Row, Judged | None]


class Judging:
    """Rows with their verdicts, None for malformed ones; at most AHEAD rows are read ahead.

    Each category has one verifier at work, which takes its rows as it wants them; the rows of others wait.
    """

    def __init__(self, rows: Iterable[Row], knobs: Verifiers) -> None:
        self._rows, self._knobs = iter(rows), knobs
        self._read: deque[Row] = deque()
        self._waiting: dict[str, deque[Attempt]] = {}
        self._verdicts: dict[str, Iterator[Judged]] = {}

    def __iter__(self) -> Iterator[Judgement]:
        try:
            while self._read or self._read_one():
                row = self._read.popleft()
                yield row, self._verdict(row.attempt) if row.attempt else None
        finally:
            for verdicts in self._verdicts.values():
                verdicts.close()  # type: ignore[attr-defined]  # ends the workers at once

    def _verdict(self, attempt: Attempt) -> Judged:
        category = attempt.category
        verdicts = self._verdicts.get(category)
        if verdicts is None:
            verify.prepare({category}, self._knobs)
        found = next(verdicts, None) if verdicts else None
        if found is None:
            # The first row of its category, or the first after a long stretch without any.
            verdicts = verify.judged(self._attempts(category), category, self._knobs)
            self._verdicts[category] = verdicts
            found = next(verdicts)
        return found

    def _attempts(self, category: str) -> Iterator[Attempt]:
        """What a verifier takes: rows of its category, until none comes for a long stretch."""
        waiting = self._waiting[category]
        while waiting or self._find(category):
            yield waiting.popleft()

    def _find(self, category: str) -> bool:
        while len(self._read) < AHEAD and self._read_one():
            if self._waiting[category]:
                return True
        return False

    def _read_one(self) -> bool:
        row = next(self._rows, None)
        if row is None:
            return False
        self._read.append(row)
        if row.attempt:
            self._waiting.setdefault(row.attempt.category, deque()).append(row.attempt)
        return True
