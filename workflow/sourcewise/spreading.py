"""Work on batches in processes of their own, in the order of the batches, while the caller makes more."""

from __future__ import annotations

import gc
import itertools
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, TypeVar

from sourcewise.parent import end_with_parent

Batch = TypeVar("Batch")
Result = TypeVar("Result")

_work: Callable[[Any], Any]


def spread(
    work: Callable[[Batch], Result], batches: Iterable[Batch], *, processes: int
) -> Iterator[Result]:
    """The result of every batch, in order; no more batches wait than there are processes, and one.

    A single batch, or a single process, is worked on here. `work` is inherited by fork: what it refers to
    may be large, and costs its memory once. Batches and results are pickled.
    """
    waiting = iter(batches)
    first = list(itertools.islice(waiting, 2))
    if processes < 2 or len(first) < 2:
        yield from map(work, itertools.chain(first, waiting))
        return
    pool = ProcessPoolExecutor(
        processes, multiprocessing.get_context("fork"), _begin, (work, os.getpid())
    )
    with pool:
        running: deque[Future[Any]] = deque()
        for batch in itertools.chain(first, waiting):
            running.append(pool.submit(_do, batch))
            if len(running) > processes:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def _begin(work: Callable[[Any], Any], parent: int) -> None:
    """A worker ends with its parent, also with one that was killed: it would wait for work for ever."""
    global _work
    end_with_parent()
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when a worker ends
    gc.freeze()  # a collection would copy every page that was inherited
    _work = work


def _do(batch: Any) -> Any:
    return _work(batch)
