"""Jobs that ask one service beside each other: its replicas run what is asked for, first come, first served.

The engine is that of `batching`, and replicas are filled evenly: each request goes to the one with the least
to do. The clock counts steps, of which each gives every running sequence a token; how long a step takes
depends on how many run.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from sourcewise.schedule.batching import Engine, Lengths


class Service(NamedTuple):
    """Replicas of an engine, and how many requests of one job are in flight at most."""

    engine: Engine
    replicas: int
    in_flight: int

    @property
    def slots(self) -> int:
        """Sequences that run at a time."""
        return self.engine.slots * self.replicas

    def step(self, running: int) -> float:
        """Seconds of a step in which so many sequences run."""
        return self.engine.step + self.engine.per_sequence * running / self.replicas


class Chain(NamedTuple):
    """A shard: the lengths that each of its rounds asks for, and the seconds until the next round begins."""

    rounds: Sequence[Lengths]
    pauses: Sequence[float]


class Answered(NamedTuple):
    """When each chain's last response was there, and how long the replicas were at work, in seconds."""

    ends: list[float]
    busy: float


def serve(
    chains: Sequence[Chain], service: Service, *, together: int, prompt_tokens: int
) -> Answered:
    """When the replicas, up from the start, have answered all rounds of all chains.

    A round ends for `together` neighbours at once, as one job judges their responses: the next begins after
    the longest of their pauses. All chains have equally many rounds.
    """
    return _Run(chains, service, together, prompt_tokens).run()


class _Run:
    """The state of one simulation."""

    def __init__(
        self, chains: Sequence[Chain], service: Service, together: int, prompt_tokens: int
    ) -> None:
        self._chains, self._service, self._together = chains, service, together
        # Reading a prompt holds up all sequences of one replica.
        self._prompt = service.engine.per_prompt_token * prompt_tokens / service.replicas
        self._now, self._step, self._busy = 0.0, 0, 0.0
        # (step at which it ends) * chains + chain: of integers a heap is fastest.
        self._running: list[int] = []
        self._waiting: deque[int] = deque()
        self._arriving = [(0.0, i, 0) for i in range(len(chains))]
        heapq.heapify(self._arriving)
        self._unasked: list[list[int]] = [[] for _ in chains]
        self._open = [0] * len(chains)
        self._round = [0] * len(chains)
        self._ends = [0.0] * len(chains)

    def run(self) -> Answered:
        n = len(self._chains)
        while self._running or self._arriving:
            self._while_full()
            seconds = self._service.step(len(self._running))
            steps = self._running[0] // n - self._step if self._running else math.inf
            if self._arriving and self._arriving[0][0] <= self._now + steps * seconds:
                arrived, chain, round_ = heapq.heappop(self._arriving)
                passed = math.ceil(max(0.0, arrived - self._now) / seconds) if self._running else 0
                self._pass(passed, seconds)
                self._now = max(self._now, arrived)
                self._begin(chain, round_)
            else:
                self._pass(int(steps), seconds)
                self._end(heapq.heappop(self._running) % n)
            while self._waiting and len(self._running) < self._service.slots:
                self._start(self._waiting.popleft())
        return Answered(self._ends, self._busy)

    def _while_full(self) -> None:
        """What `run` does, at once for as long as each end is a start and no chain begins or ends a round."""
        if not self._waiting or len(self._running) < self._service.slots:
            return
        n, running, waiting, unasked = (
            len(self._chains),
            self._running,
            self._waiting,
            self._unasked,
        )
        left, in_flight, replace = self._open, self._service.in_flight, heapq.heapreplace
        seconds, prompt = self._service.step(len(running)), self._prompt
        arrives = self._arriving[0][0] if self._arriving else math.inf
        before, now, step = self._now, self._now, self._step
        while waiting:
            ends, chain = divmod(running[0], n)
            then = now + (ends - step) * seconds
            if then >= arrives or left[chain] == 1:
                break
            left[chain] -= 1
            if left[chain] >= in_flight:
                waiting.append(chain)
            starts = waiting.popleft()
            replace(running, (ends + unasked[starts].pop()) * n + starts)
            now, step = then + prompt, ends
        self._now, self._step = now, step
        self._busy += now - before

    def _pass(self, steps: int, seconds: float) -> None:
        self._step += steps
        self._now += steps * seconds
        self._busy += steps * seconds

    def _begin(self, chain: int, round_: int) -> None:
        lengths = self._chains[chain].rounds[round_].tolist()
        self._round[chain], self._open[chain] = round_, len(lengths)
        self._unasked[chain] = lengths[::-1]
        self._waiting.extend([chain] * min(len(lengths), self._service.in_flight))
        if not lengths:
            self._close(chain)

    def _start(self, chain: int) -> None:
        length = self._unasked[chain].pop()
        heapq.heappush(self._running, (self._step + length) * len(self._chains) + chain)
        self._now += self._prompt
        self._busy += self._prompt

    def _end(self, chain: int) -> None:
        left = self._open[chain] = self._open[chain] - 1
        if left >= self._service.in_flight:
            self._waiting.append(chain)
        if not left:
            self._close(chain)

    def _close(self, chain: int) -> None:
        """A chain's round is answered: the next begins where those of its neighbours are, too."""
        self._ends[chain], round_ = self._now, self._round[chain]
        self._round[chain] += 1
        first = chain - chain % self._together
        group = range(first, min(first + self._together, len(self._chains)))
        if any(self._round[one] <= round_ for one in group):
            return
        if round_ + 1 < len(self._chains[chain].rounds):
            then = self._now + max(self._chains[one].pauses[round_] for one in group)
            for one in group:
                heapq.heappush(self._arriving, (then, one, round_ + 1))
