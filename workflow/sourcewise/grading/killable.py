"""Workers that can be killed: a function over items, each under a deadline and a memory cap.

A signal or an exception inside the worker is no guarantee: code in C ignores both, and libraries
swallow exceptions. Here the parent watches, kills the process, gives the item its status and hands the
items that waited behind it to a fresh worker. A worker may also die, stall or be full for no fault of
its item, so that is blamed on the item when it happens twice. Workers start with the first item, not
before, and end with the thread that started them.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from multiprocessing.connection import wait
from typing import Generic, NamedTuple, TypeVar

from sourcewise.grading.worker import Worker

Item = TypeVar("Item")
Value = TypeVar("Value")

CHUNK = 16  # items per message; one reply each, so that a kill loses only the current one
RECYCLE = 5000  # items per worker: sympy's caches grow without bound


class Reply(NamedTuple, Generic[Value]):
    """`status` is done, timeout, memory or crash; `value` belongs to done, `detail` to the rest."""

    status: str
    value: Value | None
    detail: str
    seconds: float = 0.0  # by the clock


class Pool(Generic[Item, Value]):
    """`work` over items in killable processes, each item within `seconds` of CPU time and `memory_mb`.

    `warm` runs once in the parent before the first worker, which inherits what it loaded.
    """

    def __init__(
        self,
        work: Callable[[Item], Value],
        *,
        seconds: float,
        memory_mb: int,
        warm: Callable[[], object] | None = None,
        workers: int | None = None,
    ) -> None:
        self._work, self._seconds, self._memory_mb, self._warm = work, seconds, memory_mb, warm
        self._size = workers or default_workers()
        self._workers: list[Worker] = []
        self._pending: deque[tuple[int, Item]] = deque()
        self._replies: dict[int, Reply[Value]] = {}
        self._suspects: set[int] = set()

    def __enter__(self) -> Pool[Item, Value]:
        return self

    def __exit__(self, *_: object) -> None:
        while self._workers:
            self._workers.pop().kill()

    def map(self, items: Iterable[Item]) -> list[Reply[Value]]:
        """One reply per item, in the order of the items."""
        self._pending, self._replies, self._suspects = deque(enumerate(items)), {}, set()
        n = len(self._pending)
        try:
            while len(self._replies) < n:
                self._hand_out()
                self._watch()
        except BaseException:
            self.__exit__()  # their replies would be taken for those of the next items
            raise
        return [self._replies[index] for index in range(n)]

    def _hand_out(self) -> None:
        pending, idle = self._pending, [worker for worker in self._workers if not worker.held]
        while pending and (idle or len(self._workers) < self._size):
            if self._warm is not None:
                self._warm()
                self._warm = None
            if not idle:
                self._workers.append(self._start())
                idle = [self._workers[-1]]
            share = max(1, min(CHUNK, len(pending) // self._size))
            idle.pop().give([pending.popleft() for _ in range(min(share, len(pending)))])

    def _start(self) -> Worker:
        siblings = [worker.pipe for worker in self._workers]
        return Worker(self._work, self._memory_mb, siblings)

    def _watch(self) -> None:
        busy = [worker for worker in self._workers if worker.held]
        ready = wait([worker.pipe for worker in busy], timeout=0.1)
        for worker in busy:
            if worker.pipe in ready:
                self._receive(worker)
            elif reason := worker.overdue(self._seconds):
                late: Reply[Value] = Reply("timeout", None, f"over {self._seconds:g} s")
                self._bury(worker, late, certain=reason == "busy")

    def _receive(self, worker: Worker) -> None:
        try:
            reply: Reply[Value] = Reply(*worker.pipe.recv())
        except (EOFError, OSError):
            died: Reply[Value] = Reply("crash", None, "the worker died")
            self._bury(worker, died, certain=False)
            return
        if reply.status == "memory":
            # What the items before it left behind may have filled the memory.
            self._bury(worker, reply, certain=worker.served == 0)
            return
        self._replies[worker.held.popleft()[0]] = reply
        worker.served += 1
        worker.begin()
        if worker.served >= RECYCLE and not worker.held:
            self._bury(worker, reply, certain=False)

    def _bury(self, worker: Worker, reply: Reply[Value], *, certain: bool) -> None:
        """Ends a worker; its current item has this reply, or is asked once more where it may be innocent."""
        waited = time.monotonic() - worker.since
        end = worker.kill()
        self._workers.remove(worker)
        if worker.held and (certain or worker.held[0][0] in self._suspects):
            if reply.status == "crash":
                reply = reply._replace(detail=f"{reply.detail}: {end}")
            self._replies[worker.held.popleft()[0]] = reply._replace(seconds=waited)
        elif worker.held:
            self._suspects.add(worker.held[0][0])
        self._pending.extendleft(reversed(worker.held))


def default_workers() -> int:
    """How many workers a stage may run: $SOURCEWISE_WORKERS, else the cores it may use."""
    return int(os.environ.get("SOURCEWISE_WORKERS") or len(os.sched_getaffinity(0)))
