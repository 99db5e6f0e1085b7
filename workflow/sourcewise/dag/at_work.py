"""Who is asked right now, how far that is, how long it will take: from the files of jobs and the tables."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sourcewise.dag import measured
from sourcewise.params.rates import Rate, Rates
from sourcewise.params.root import Params
from sourcewise.under_way import FOLDER, State, read

# A job of another machine writes every few seconds while answers come; the first may take long.
SILENT_SECONDS = 300.0


@dataclass
class Round:
    """Attempt k over all shards: responses judged, those that reached `stop_score`."""

    attempt: int
    judged: int
    accepted: int


@dataclass
class Asked:
    """A teacher or student that is asked, or was when its job ended without finishing.

    `done` attempts are answered of about `expected`, which is None where the corpus is not made yet;
    for students it is exact. `left` is seconds at the present rate. `cost` is in `currency`.
    """

    role: str
    name: str
    jobs: int = 0
    done: int = 0
    expected: int | None = None
    tokens: int = 0
    prompt_tokens: int = 0
    tokens_per_second: float = 0.0
    answers_per_second: float = 0.0
    cost: float | None = None
    currency: str = ""
    rounds: list[Round] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    @property
    def left(self) -> float | None:
        """Seconds until all expected attempts are made; None where nothing is measured."""
        if self.expected is None or not self.answers_per_second:
            return None
        return max(0, self.expected - self.done) / self.answers_per_second


def look(params: Params) -> list[Asked]:
    """Everybody whose jobs run or ended without finishing, in the order of params.yaml."""
    states = [state for path in sorted(FOLDER.glob("*.json")) if (state := read(path)) is not None]
    by_name: dict[tuple[str, str], list[State]] = {}
    for state in states:
        by_name.setdefault((state.role, state.name), []).append(state)
    order = [("teacher", name) for name in params.teachers]
    order += [("student", name) for name in params.students]
    return [
        _asked(*who, by_name[who], params)
        for who in order
        if who in by_name and any(state.state != "done" for state in by_name[who])
    ]


def _asked(role: str, name: str, states: Sequence[State], params: Params) -> Asked:
    found = Asked(role, name)
    for state in states:
        found.tokens += state.tokens
        found.prompt_tokens += state.prompt_tokens
        if state.state == "done":
            continue
        trouble = _trouble(state)
        if trouble:
            found.troubles.append(f"{_what(state)}: {trouble}")
        if state.state == "running" and not trouble:
            found.jobs += 1
            found.tokens_per_second += state.tokens_per_second
            found.answers_per_second += state.answers_per_second
    if role == "teacher":
        found.rounds = _rounds(name, params.distill.max_attempts, params.distill.stop_score)
        found.done, found.expected = _attempts(states, found.rounds, params.distill.max_attempts)
    else:
        found.done = sum(state.found + state.asked for state in states)
        found.expected = sum(state.wanted for state in states)
    if role == "teacher" and params.rates is not None:
        _price(found, states, params.rates)
    return found


def _what(state: State) -> str:
    return f"shard {state.shard}, attempt {state.attempt}" if state.role == "teacher" else "samples"


def _trouble(state: State) -> str:
    """Why a job that is not done is not at work; nothing where it is."""
    since = f"since {state.updated[:16].replace('T', ' ')} UTC"
    if state.state == "failed":
        return f"failed {since}: its log says why"
    if state.host == socket.gethostname():
        return "" if _lives(state.pid) else f"ended without finishing {since}: run again"
    age = (datetime.now(UTC) - datetime.fromisoformat(state.updated)).total_seconds()
    return f"silent on {state.host} {since}" if age > SILENT_SECONDS else ""


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _rounds(name: str, most: int, stop_score: float) -> list[Round]:
    rounds = []
    for attempt in range(1, most + 1):
        one = Round(attempt, 0, 0)
        for path in sorted(Path(f"data/distill/{name}/round-{attempt}").glob("*.verdicts.parquet")):
            scores = measured.scores(str(path)).values()
            one.judged += len(scores)
            one.accepted += sum(score is not None and score >= stop_score for score in scores)
        if one.judged:
            rounds.append(one)
    return rounds


def _attempts(
    states: Sequence[State], rounds: Sequence[Round], most: int
) -> tuple[int, int | None]:
    """Attempts made, and expected in all: each round asks what the one before is likely to leave."""
    made = {one.attempt: one.judged for one in rounds}
    for attempt in {state.attempt for state in states}:
        asked = sum(state.found + state.asked for state in states if state.attempt == attempt)
        made[attempt] = max(made.get(attempt, 0), asked)
    corpus = sorted(Path("data/queries/corpus").glob("*[0-9].parquet"))
    if not corpus:
        return sum(made.values()), None
    still: float = sum(len(measured.categories(str(path))) for path in corpus)
    expected, rate = 0.0, 0.0
    accepted: Mapping[int, float] = {one.attempt: one.accepted / one.judged for one in rounds}
    for attempt in range(1, most + 1):
        expected += max(still, made.get(attempt, 0))
        # A round that was never judged is taken to go as the one before.
        rate = accepted.get(attempt, rate)
        still *= 1 - rate
    return sum(made.values()), round(expected)


def _price(found: Asked, states: Sequence[State], rates: Rates) -> None:
    rate = rates.teachers.get(found.name)
    if rate is None:
        return
    found.currency = rates.currency
    if rate.prompt_million is not None and rate.completion_million is not None:
        found.cost = (
            found.prompt_tokens * rate.prompt_million + found.tokens * rate.completion_million
        ) / 1e6
    elif rate.gpus is not None and rate.gpu_hour is not None:
        found.cost = _gpu_hours(found, states, rate) * rate.gpu_hour


def _gpu_hours(found: Asked, states: Sequence[State], rate: Rate) -> float:
    if rate.tokens_per_second is not None:
        seconds = found.tokens / rate.tokens_per_second
    else:
        seconds = sum(state.seconds for state in states)
    return (rate.gpus or 0) * seconds / 3600
