"""One process of a pool of killable workers: its life, its end and the time that its item has taken."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import multiprocessing
import os
import pickle
import resource
import signal
import time
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from sourcewise.parent import end_with_parent

PATIENCE = 10  # wall seconds granted per CPU second, for a loaded machine and for sleepers
MIB = 1 << 20
MAX_REPLY = MIB  # bytes; the parent must not grow with what a worker returns


class Worker:
    """One process, the chunk it holds and the time at which its current item began."""

    def __init__(
        self, work: Callable[[Any], Any], memory_mb: int, siblings: list[Connection]
    ) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        arguments = (theirs, [self.pipe, *siblings], work, memory_mb, os.getpid())
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

    def overdue(self, seconds: float) -> str:
        """ "busy" or "stalled" when the item has had its time, which is CPU time, else "".

        So a loaded machine changes no verdict.
        """
        waited = time.monotonic() - self.since
        if waited < seconds:
            return ""
        if _cpu_seconds(self.process.pid) - self.cpu >= seconds:
            return "busy"
        return "stalled" if waited >= PATIENCE * seconds else ""

    def kill(self) -> str:
        """Ends the process for certain, leaves no zombie, and says what it died of."""
        self.process.kill()
        self.process.join()
        self.pipe.close()
        code = self.process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _serve(
    pipe: Connection,
    parents: list[Connection],
    work: Callable[[Any], Any],
    memory_mb: int,
    parent: int,
) -> NoReturn:
    """The life of a worker: chunks in, one reply per item out, until the parent is gone."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when a worker ends
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # and its handlers are not ours
    faulthandler.disable()  # a crash is a reply, not a page in the log
    gc.freeze()  # what was inherited may hold locks of threads that exist only in the parent
    if os.getppid() != parent:
        os._exit(1)
    for end in parents:  # held open here, they would hide from a sibling that the parent is gone
        end.close()
    ceiling = _mapped_bytes() + memory_mb * MIB
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(EOFError, OSError):
        while True:
            for item in pipe.recv():
                pipe.send_bytes(_attempt(work, item))
    os._exit(0)


def _attempt(work: Callable[[Any], Any], item: Any) -> bytes:
    """A pickled reply; of whatever else happened the type alone.

    The text of an exception may print a term that takes hours to print.
    """
    begin = time.perf_counter()
    try:
        reply = pickle.dumps(("done", work(item), "", time.perf_counter() - begin))
        if len(reply) <= MAX_REPLY:
            return reply
        problem = ("crash", None, f"a reply of {len(reply):,} bytes")
    except MemoryError:
        problem = ("memory", None, "out of memory")
    except BaseException as error:
        problem = ("crash", None, type(error).__name__)
    return pickle.dumps((*problem, time.perf_counter() - begin))


def _mapped_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _cpu_seconds(pid: int | None) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
