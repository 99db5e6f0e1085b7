"""The processes of the test Slurm: started, found by their pid files and their names, ended."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

# Short, because the paths of sockets have to be, and a place that only root writes to.
STATE = Path("/var/lib/sourcewise-slurm")
NAMES = ("slurmctld", "slurmd", "slurmdbd", "slurmstepd", "munged", "mariadbd")


def start(*command: str, forks: bool = True, **variables: str) -> None:
    """Starts a daemon that outlives us; one that forks by itself has to end well when it is up."""
    environment = {**os.environ, "SLURM_CONF": str(STATE / "etc/slurm.conf"), **variables}
    with (STATE / f"log/{command[0]}.out").open("ab") as said:
        started = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=STATE,
        )
    if forks and started.wait(60):
        raise RuntimeError(f"{' '.join(command)} failed: see {said.name}")


def running(name: str) -> int | None:
    """The process id of a daemon that is alive, by its pid file and its name."""
    file = STATE / f"run/{name}.pid"
    with contextlib.suppress(OSError, ValueError):
        pid = int(file.read_text())
        # "123 (slurmd) S …"; Z is one that ended, but whose parent has not noticed yet.
        _, called, state, *_ = Path(f"/proc/{pid}/stat").read_text().split()
        if called == f"({name.partition('.')[0]})" and state != "Z":
            return pid
    return None


def stop(name: str) -> None:
    """Ends a daemon, by force after ten seconds."""
    for _ in range(100):
        pid = running(name)
        if pid is None:
            return
        # Again and again: munged misses one now and then.
        kill(pid, signal.SIGTERM)
        time.sleep(0.1)
    kill(pid)


def kill(pid: int, by: int = signal.SIGKILL) -> None:
    """Sends a signal to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, by)


def ours(*names: str) -> list[int]:
    """Daemons and job steps that were told of our state directory, on their command line or beside it."""
    return [
        pid for pid in _processes() if _name(pid) in (names or NAMES) and f"{STATE}/" in _told(pid)
    ]


def told(variable: str) -> list[int]:
    """All processes that have a variable in their environment."""
    return [pid for pid in _processes() if variable in _told(pid).split("\0")]


def _processes() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _told(pid: int) -> str:
    """The words of a process's command line and its environment, each ended by a zero."""
    files = (Path(f"/proc/{pid}/{name}") for name in ("cmdline", "environ"))
    with contextlib.suppress(OSError):
        return "".join(file.read_bytes().decode(errors="replace") for file in files)
    return ""


def open_files(pid: int) -> str:
    with contextlib.suppress(OSError):
        return " ".join(str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir())
    return ""


def call(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout


def succeeds(*command: str) -> bool:
    with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
        call(*command)
        return True
    return False


def wait_for(sign: Callable[[], object], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not sign():
        if time.monotonic() > end:
            raise TimeoutError(f"no sign of {what} within {seconds} s: see {STATE / 'log'}")
        time.sleep(0.1)
