"""Workers that can be killed: a function over items, each under a deadline and a memory cap.

A signal or an exception inside the worker is no guarantee: code in C ignores both, and libraries
swallow exceptions. Here the parent watches, kills the process, gives the item its status and hands the
items that waited behind it to a fresh worker. Workers start with the first item, not before.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import multiprocessing
import os
import resource
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")

CHUNK = 16  # items per message; one reply each, so that a kill loses only the current one
RECYCLE = 5000  # items per worker: sympy's caches grow without bound
PATIENCE = 10  # wall seconds granted per CPU second, for a loaded machine and for sleepers
MIB = 1 << 20
_PR_SET_PDEATHSIG = 1


class Reply(NamedTuple, Generic[Value]):
    """`status` is done, timeout, memory or crash; `value` belongs to done, `detail` to the rest."""

    status: str
    value: Value | None
    detail: str


class _Worker:
    """One process, the chunk it holds and the time at which its current item began."""

    def __init__(self, work: Callable[[Any], Any], memory_mb: int) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        arguments = (theirs, work, memory_mb, os.getpid())
        self.process = context.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.held: deque[tuple[int, Any]] = deque()
        self.served = 0

    def give(self, chunk: list[tuple[int, Any]]) -> None:
        self.held.extend(chunk)
        self.begin()
        with contextlib.suppress(OSError):  # a dead worker shows itself at the next wait
            self.pipe.send([item for _, item in chunk])

    def begin(self) -> None:
        self.since, self.cpu = time.monotonic(), _cpu_seconds(self.process.pid)

    def overdue(self, seconds: float) -> bool:
        """The deadline counts CPU time, so that a loaded machine changes no verdict."""
        waited = time.monotonic() - self.since
        if waited < seconds:
            return False
        return waited >= PATIENCE * seconds or _cpu_seconds(self.process.pid) - self.cpu >= seconds

    def kill(self) -> int | None:
        """Ends the process for certain and returns its exit code."""
        self.process.kill()
        self.process.join()
        self.pipe.close()
        return self.process.exitcode


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
        self._workers: list[_Worker] = []

    def __enter__(self) -> Pool[Item, Value]:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.kill()
        self._workers.clear()

    def map(self, items: Iterable[Item]) -> list[Reply[Value]]:
        """One reply per item, in the order of the items."""
        pending = deque(enumerate(items))
        replies: dict[int, Reply[Value]] = {}
        n = len(pending)
        while len(replies) < n:
            self._hand_out(pending)
            busy = [worker for worker in self._workers if worker.held]
            ready = wait([worker.pipe for worker in busy], timeout=0.1)
            for worker in busy:
                if worker.pipe in ready:
                    self._receive(worker, replies, pending)
                elif worker.overdue(self._seconds):
                    late: Reply[Value] = Reply("timeout", None, f"over {self._seconds:g} s")
                    self._bury(worker, replies, pending, late)
        return [replies[index] for index in range(n)]

    def _hand_out(self, pending: deque[tuple[int, Item]]) -> None:
        idle = [worker for worker in self._workers if not worker.held]
        while pending and (idle or len(self._workers) < self._size):
            if self._warm is not None:
                self._warm()
                self._warm = None
            if not idle:
                self._workers.append(_Worker(self._work, self._memory_mb))
                idle = [self._workers[-1]]
            share = max(1, min(CHUNK, len(pending) // self._size))
            idle.pop().give([pending.popleft() for _ in range(min(share, len(pending)))])

    def _receive(
        self, worker: _Worker, replies: dict[int, Reply[Value]], pending: deque[tuple[int, Item]]
    ) -> None:
        try:
            reply: Reply[Value] = Reply(*worker.pipe.recv())
        except (EOFError, OSError):
            self._bury(worker, replies, pending, None)
            return
        replies[worker.held.popleft()[0]] = reply
        worker.served += 1
        worker.begin()
        if reply.status == "memory" or (worker.served >= RECYCLE and not worker.held):
            self._retire(worker, pending)

    def _bury(
        self,
        worker: _Worker,
        replies: dict[int, Reply[Value]],
        pending: deque[tuple[int, Item]],
        reply: Reply[Value] | None,
    ) -> None:
        """Settles the current item of a dead or overdue worker; what waited behind it goes on."""
        code = worker.kill()
        index, _ = worker.held.popleft()
        replies[index] = reply or Reply("crash", None, f"the worker died: {_died(code)}")
        self._retire(worker, pending)

    def _retire(self, worker: _Worker, pending: deque[tuple[int, Item]]) -> None:
        pending.extendleft(reversed(worker.held))
        self._workers.remove(worker)
        if worker.process.is_alive():
            worker.kill()


def _serve(pipe: Connection, work: Callable[[Any], Any], memory_mb: int, parent: int) -> None:
    """The life of a worker: chunks in, one reply per item out, until the parent is gone."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when a worker ends
    faulthandler.disable()  # a crash is a reply, not a page in the log
    if os.getppid() != parent:
        os._exit(1)
    ceiling = _mapped_bytes() + memory_mb * MIB
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        try:
            chunk = pipe.recv()
        except EOFError:
            os._exit(0)
        for item in chunk:
            pipe.send(_attempt(work, item))


def _attempt(work: Callable[[Any], Any], item: Any) -> tuple[str, Any, str]:
    try:
        return "done", work(item), ""
    except MemoryError:
        return "memory", None, "out of memory"
    except Exception as error:
        # The type alone: the text of an exception may print a term that takes hours to print.
        return "crash", None, type(error).__name__


def default_workers() -> int:
    """How many workers a stage may run: $SOURCEWISE_WORKERS, else the cores it may use."""
    return int(os.environ.get("SOURCEWISE_WORKERS") or len(os.sched_getaffinity(0)))


def _mapped_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _cpu_seconds(pid: int | None) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _died(code: int | None) -> str:
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
