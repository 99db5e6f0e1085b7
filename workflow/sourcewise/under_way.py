"""How a job that asks a model does: a line a minute in its log, and a file for `sourcewise status`.

The file lies where Snakemake keeps its own records of a working copy, which neither DVC nor git looks into;
a stage that runs elsewhere writes none. It is replaced as a whole, so that a reader never finds half of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from sourcewise.engines.contract import PROMPT_TOO_LONG, Completion
from sourcewise.progress import duration, pace, portion, say, share

SNAKEMAKE = Path(".snakemake")
FOLDER = SNAKEMAKE / "sourcewise/progress"
# Rates are those of the last minutes, so that a slow start is forgotten and a stall is seen.
WINDOW = 300.0
FILE_SECONDS = 2.0


@dataclasses.dataclass
class State:
    """What the file of a job holds, as JSON.

    `wanted` attempts are `found` in the ledger, `asked` in this run of the job, or still open. Tokens
    and seconds add up over the runs of a job that was killed. Times are ISO 8601, UTC.
    """

    role: str
    name: str
    attempt: int
    shard: str
    wanted: int
    found: int
    pid: int = dataclasses.field(default_factory=os.getpid)
    host: str = dataclasses.field(default_factory=socket.gethostname)
    started: str = ""
    updated: str = ""
    state: str = "running"
    asked: int = 0
    tokens: int = 0
    prompt_tokens: int = 0
    cut_off: int = 0
    too_long: int = 0
    seconds: float = 0.0
    answers_per_second: float = 0.0
    tokens_per_second: float = 0.0

    @property
    def open(self) -> int:
        """How many attempts are still to be asked."""
        return self.wanted - self.found - self.asked


class UnderWay:
    """Counts the answers of one job, to be used as a context; `clock` gives seconds."""

    def __init__(
        self, state: State, label: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.state, self._label, self._clock = state, label, clock
        self._path = FOLDER / f"{state.role}.{state.name}.{state.attempt}.{state.shard}.json"
        self._start = self._said = self._written = clock()
        self._before = 0.0
        self._recent: deque[tuple[float, int, int]] = deque([(self._start, 0, 0)])

    def __enter__(self) -> UnderWay:
        self.state.started = _now()
        if (killed := read(self._path)) is not None and killed.state != "done":
            self.state.tokens, self.state.prompt_tokens = killed.tokens, killed.prompt_tokens
            self._before = killed.seconds
        self._write()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.state.state = "done" if kind is None else "failed"
        self._measure(self._clock())
        self._write()

    def add(self, completions: Iterable[Completion]) -> None:
        """Counts answers that are in the ledger, and says so when it is time."""
        state = self.state
        for completion in completions:
            state.asked += 1
            state.tokens += completion.n_tokens
            state.prompt_tokens += completion.n_prompt_tokens
            state.cut_off += completion.finish_reason == "length"
            state.too_long += completion.finish_reason == PROMPT_TOO_LONG
        now = self._clock()
        self._measure(now)
        if now - self._written >= FILE_SECONDS:
            self._write()
        if now - self._said >= pace() and state.open:
            self._said = now
            say(self.line())

    def line(self) -> str:
        """Where the job is, at which rate, and for how much longer."""
        state = self.state
        done = state.found + state.asked
        parts = [f"{portion(done, state.wanted)} attempts{share(done, state.wanted)}"]
        if state.tokens_per_second:
            parts.append(f"{state.tokens_per_second:,.0f} tokens/s")
        if state.cut_off:
            parts.append(f"{100 * state.cut_off / state.asked:.1f} % cut off")
        if state.too_long:
            parts.append(f"{state.too_long:,} too long")
        if state.answers_per_second:
            parts.append(f"about {duration(state.open / state.answers_per_second)} left")
        return f"{self._label}: {', '.join(parts)}"

    def _measure(self, now: float) -> None:
        state, recent = self.state, self._recent
        recent.append((now, state.asked, state.tokens))
        while len(recent) > 2 and recent[1][0] <= now - WINDOW:
            recent.popleft()
        then, asked, tokens = recent[0]
        if now > then:
            state.answers_per_second = (state.asked - asked) / (now - then)
            state.tokens_per_second = (state.tokens - tokens) / (now - then)
        state.seconds = self._before + now - self._start

    def _write(self) -> None:
        self._written = self._clock()
        self.state.updated = _now()
        # Who only watches must not end the work: not on a full disk, and not where nobody looks.
        if SNAKEMAKE.is_dir():
            with contextlib.suppress(OSError):
                FOLDER.mkdir(parents=True, exist_ok=True)
                partial = self._path.with_name(f".{self._path.name}.{os.getpid()}")
                partial.write_text(json.dumps(dataclasses.asdict(self.state)))
                partial.replace(self._path)


def read(path: Path) -> State | None:
    """The state in a file; None where there is none, or one of another version."""
    try:
        return State(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
