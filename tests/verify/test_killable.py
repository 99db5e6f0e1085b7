"""Workers that hang, crash or grow lose their item and nothing else."""

import os
import signal
import time
from pathlib import Path

import pytest

from sourcewise.grading.killable import Pool


def _work(item: str) -> str:
    """What its item says: a worker's good and bad days."""
    if item == "spin":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            pass
    if item == "sleep":
        time.sleep(3600)
    if item == "abort":
        os.abort()
    if item == "exit":
        os._exit(0)
    if item == "grow":
        return "x" * (1 << 34)
    if item == "raise":
        raise ZeroDivisionError
    if item == "pid":
        return str(os.getpid())
    return item.upper()


def _alive(pid: str) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_every_item_has_its_reply_in_order_whatever_the_others_do() -> None:
    bad = {"spin": "timeout", "abort": "crash", "exit": "crash", "grow": "memory", "raise": "crash"}
    items = [word for kind in bad for word in ("a", "b", kind, "c")] * 2
    with Pool(_work, seconds=0.3, memory_mb=512, workers=2) as pool:
        replies = pool.map(items)
    assert [reply.status for reply in replies] == [bad.get(item, "done") for item in items]
    values = [reply.value for reply in replies if reply.status == "done"]
    assert values == [item.upper() for item in items if item not in bad]


def test_a_sleeper_is_ended_though_it_uses_no_cpu() -> None:
    with Pool(_work, seconds=0.05, memory_mb=512, workers=1) as pool:
        assert [reply.status for reply in pool.map(["sleep", "a"])] == ["timeout", "done"]


def test_no_worker_starts_without_an_item_and_none_stays() -> None:
    warmed: list[str] = []
    with Pool(
        _work, seconds=5, memory_mb=512, workers=2, warm=lambda: warmed.append("yes")
    ) as pool:
        assert pool.map([]) == []
        assert warmed == []
        [reply] = pool.map(["pid"])
        assert warmed == ["yes"]
        assert _alive(str(reply.value))
    assert not _alive(str(reply.value))


def test_a_crash_names_the_signal() -> None:
    with Pool(_work, seconds=5, memory_mb=512, workers=1) as pool:
        [reply] = pool.map(["abort"])
    assert "SIGABRT" in reply.detail


@pytest.mark.parametrize("workers", [1, 3])
def test_the_number_of_workers_changes_no_reply(workers: int) -> None:
    items = [str(number) for number in range(100)]
    with Pool(_work, seconds=5, memory_mb=512, workers=workers) as pool:
        assert [reply.value for reply in pool.map(items)] == items
