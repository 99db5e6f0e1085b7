"""One run at a time in a working copy: the second learns who the first is, and death frees the place."""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sourcewise import orphans
from sourcewise.dag import running
from sourcewise.dag.running import LOCK, BusyError, FullError, holder, take

WRITER = """
import time
from sourcewise.dag.running import take
lock = take()
print("works", flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working copy to stand in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(orphans.FOLDER, "")


@pytest.fixture
def writer() -> Iterator[subprocess.Popen[str]]:
    """A run at work."""
    path = {**os.environ, "PYTHONPATH": str(Path(running.__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", WRITER], env=path, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "works\n"
        yield process
        process.kill()


def test_the_second_run_learns_the_pid_and_the_start_of_the_first(
    writer: subprocess.Popen[str],
) -> None:
    named = rf"pid {writer.pid}, since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d on {socket.gethostname()}"
    with pytest.raises(BusyError, match=rf"another run works in this copy \({named}\)"):
        take()
    assert str(holder()).startswith(f"pid {writer.pid}, since ")


def test_the_lock_of_a_killed_run_is_taken_over(writer: subprocess.Popen[str]) -> None:
    writer.kill()
    writer.wait()
    assert holder() is None
    with take():
        assert LOCK.read_text().startswith(f"pid {os.getpid()}, since ")


def test_who_only_looks_refuses_nobody() -> None:
    take().close()
    with LOCK.open() as looker:
        fcntl.flock(looker, fcntl.LOCK_SH)
        threading.Timer(0.3, looker.close).start()
        start = time.monotonic()
        take().close()
        assert time.monotonic() - start > 0.2


def test_a_full_disk_is_named_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(".")._replace(free=4096)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(FullError, match=r"full \(4,096 bytes left\): make room"):
        take()
    assert not LOCK.exists()
