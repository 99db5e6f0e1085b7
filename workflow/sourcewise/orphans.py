"""Jobs that outlive their run: a job says that it works, and the next run ends it when its run is dead.

A Snakemake that is killed outright leaves its jobs behind, which would go on writing where the next
run's jobs write. What they have done so far is in a ledger or a checkpoint, so ending them loses nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from sourcewise.lock import FileLock

# Set by a run for its jobs: the folder in which each says that it works.
FOLDER = "SOURCEWISE_JOBS"


@contextlib.contextmanager
def at_work() -> Iterator[None]:
    """Says that this process is a job, where a run asks for it; a stage called by hand says nothing."""
    folder = os.environ.get(FOLDER)
    if not folder or not Path(folder).is_dir():
        yield
        return
    presence = FileLock(Path(folder, f"{os.getpid()}@{socket.gethostname()}"))
    presence.acquire()
    try:
        yield
    finally:
        presence.release()


def end(folder: Path) -> list[int]:
    """Ends the jobs of dead runs with all that they started; returns their process ids.

    To be called by a run that holds the lock of its working copy. Raises RuntimeError where a job works
    on another machine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    os.environ[FOLDER] = str(folder.absolute())
    ended = []
    for file in sorted(folder.iterdir()):
        with file.open("rb") as held:
            if _is_held(held.fileno()):
                ended.append(_end(file))
                # The kernel drops a lock when the last of its process is gone.
                fcntl.flock(held, fcntl.LOCK_EX)
        file.unlink(missing_ok=True)
    return ended


def _is_held(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _end(file: Path) -> int:
    import psutil

    pid, _, machine = file.name.partition("@")
    if machine != socket.gethostname():
        raise RuntimeError(
            f"process {pid} on {machine}, a job of a run that was killed, still writes in this copy: "
            "end it there (or wait for it), then run again"
        )
    with contextlib.suppress(psutil.NoSuchProcess):
        job = psutil.Process(int(pid))
        family = [job, *job.children(recursive=True)]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=30)
    return int(pid)
