"""CPU seconds of a function and of every process that comes of it, those of sandboxes included.

bwrap's outer process does not wait for its child, so that RUSAGE_CHILDREN of whoever started it misses the
program. Here the function runs in a process that is the subreaper of all its descendants: orphans become its
children, and it ends only after it has waited for each of them.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
from collections.abc import Callable
from typing import Any, NamedTuple

_PR_SET_CHILD_SUBREAPER = 36


class Cost(NamedTuple):
    """What a function returned, and its CPU seconds."""

    value: Any
    seconds: float


def cost(function: Callable[[], Any]) -> Cost:
    """Runs a function in a process of its own and counts all CPU time, to the last descendant."""
    context = multiprocessing.get_context("fork")
    pipe, theirs = context.Pipe()
    process = context.Process(target=_counted, args=(function, theirs))
    process.start()
    theirs.close()
    value, seconds = pipe.recv()
    process.join()
    return Cost(value, seconds)


def _counted(function: Callable[[], Any], pipe: Any) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    begin = _used()
    value = function()
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    pipe.send((value, _used() - begin))


def _used() -> float:
    sides = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(side.ru_utime + side.ru_stime for side in sides)
