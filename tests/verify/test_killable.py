"""Workers that hang, crash or grow lose their item and nothing else."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sourcewise.grading.killable import Pool, Reply


def _work(item: str) -> object:
    """What its item says: a worker's good and bad days."""
    word, _, argument = item.partition(" ")
    if word == "spin":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            pass
    if word == "sleep":
        time.sleep(3600)
    if word == "abort":
        os.abort()
    if word == "exit":
        os._exit(0)
    if word == "leave":
        raise SystemExit("a library that gives up")
    if word == "grow":
        return "x" * (1 << 34)
    if word == "huge":
        return "x" * (64 << 20)
    if word == "lambda":
        return lambda: None
    if word == "raise":
        raise ZeroDivisionError
    if word == "keep":
        KEPT.append(bytearray(200 << 20))
        return len(KEPT)
    if word == "pid":
        return os.getpid()
    if word == "sockets":
        return os.getpid(), _sockets()
    if word == "once" and not Path(argument).exists():
        Path(argument).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return item.upper()


KEPT: list[bytearray] = []


def _sockets() -> set[str]:
    """The sockets that this process holds: the two ends of a pipe to a worker have different names."""
    links = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the descriptor of the listing itself
            links.append(str(link.readlink()))
    return {link for link in links if link.startswith("socket")}


def _alive(pid: object) -> bool:
    return Path(f"/proc/{pid}").exists()


def _one(item: str, **limits: float) -> Reply[object]:
    with Pool(_work, **{"seconds": 5, "memory_mb": 512, "workers": 1} | limits) as pool:  # type: ignore[arg-type]
        [reply] = pool.map([item])
    return reply


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
        assert _alive(reply.value)
    assert not _alive(reply.value)


def test_a_crash_names_the_signal() -> None:
    assert "SIGABRT" in _one("abort").detail


@pytest.mark.parametrize(
    ("item", "detail"),
    [
        ("leave", "SystemExit"),
        ("huge", "a reply of 67,108,"),
        ("lambda", "Error"),
        ("raise", "ZeroDivisionError"),
    ],
)
def test_whatever_leaves_the_work_is_a_reply_and_the_worker_stays(item: str, detail: str) -> None:
    with Pool(_work, seconds=5, memory_mb=512, workers=1) as pool:
        first, bad, last = pool.map(["pid", item, "pid"])
    assert bad.status == "crash"
    assert detail in bad.detail
    assert first.value == last.value


def test_a_worker_that_dies_once_is_not_the_fault_of_its_item(tmp_path: Path) -> None:
    reply = _one(f"once {tmp_path / 'died'}")
    assert (tmp_path / "died").exists()
    assert reply.status == "done"


def test_a_worker_killed_between_two_maps_costs_no_item() -> None:
    with Pool(_work, seconds=5, memory_mb=512, workers=1) as pool:
        [reply] = pool.map(["pid"])
        os.kill(int(str(reply.value)), signal.SIGKILL)
        time.sleep(0.1)
        assert [reply.value for reply in pool.map(["a", "b", "c"])] == ["A", "B", "C"]


def test_what_earlier_items_left_behind_is_not_blamed_on_the_last() -> None:
    with Pool(_work, seconds=5, memory_mb=512, workers=1) as pool:
        replies = pool.map(["keep"] * 8)
    assert [reply.status for reply in replies] == ["done"] * 8
    assert [reply.value for reply in replies] == [1, 2] * 4


def test_an_interrupted_map_leaves_nothing_for_the_next() -> None:
    def interrupt() -> None:
        time.sleep(0.3)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    with Pool(_work, seconds=5, memory_mb=512, workers=1) as pool:
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            pool.map(["a", "sleep"])
        assert [reply.value for reply in pool.map(["x", "y"])] == ["X", "Y"]


def test_workers_hold_no_pipe_of_each_other_or_of_the_parent() -> None:
    others = _sockets()
    with Pool(_work, seconds=5, memory_mb=512, workers=4) as pool:
        replies = pool.map(["sockets"] * 40)
        ours = _sockets() - others
    held = {pid: sockets - others for pid, sockets in (reply.value for reply in replies)}  # type: ignore[misc]
    assert len(ours) == len(held) > 1
    assert all(len(sockets) == 1 and not sockets & ours for sockets in held.values())


ORPHANS = """
import os, sys, time
from sourcewise.grading.killable import Pool
def work(item):
    if item == "pid":
        return os.getpid()
    print(os.getpid(), flush=True)
    while True:
        pass
with Pool(work, seconds=60, memory_mb=512, workers=2) as pool:
    pool.map(["spin", "spin"])
"""


def test_workers_end_with_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", ORPHANS], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    pids = [parent.stdout.readline().strip() for _ in range(2)]
    assert all(map(_alive, pids))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while any(map(_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(_alive, pids))


def test_a_fork_beside_busy_threads_starts_a_worker_that_works() -> None:
    stop = threading.Event()

    def allocate() -> None:
        while not stop.is_set():
            bytearray(1 << 20)

    threads = [threading.Thread(target=allocate) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            assert _one("a", workers=2).value == "A"
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_replies_carry_the_seconds_they_took() -> None:
    assert 0 < _one("a").seconds < 5
    assert _one("spin", seconds=0.2).seconds >= 0.2


@pytest.mark.parametrize("workers", [1, 3])
def test_the_number_of_workers_changes_no_reply(workers: int) -> None:
    items = [str(number) for number in range(100)]
    with Pool(_work, seconds=5, memory_mb=512, workers=workers) as pool:
        assert [reply.value for reply in pool.map(items)] == items
