"""The disk of the working copy: room, kind, and by doing: locks, rename, the cost of fsync, the clock."""

from __future__ import annotations

import fcntl
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sourcewise.doctor.findings import Finding

GIB = 1 << 30
LEAST_FREE, ENOUGH_FREE = 2 * GIB, 20 * GIB
LEAST_INODES = 20_000
SLOW_FSYNC = 0.05
DRIFT = 2.0
NETWORK = (
    "nfs",
    "nfs4",
    "lustre",
    "gpfs",
    "beegfs",
    "cifs",
    "smb3",
    "ceph",
    "fuse.sshfs",
    "wekafs",
)
# Lustre without `flock`, and `localflock`, lock on one node only: two nodes would both write.
LOCAL_LOCKS = ("localflock", "nolock", "local_lock=all", "local_lock=flock", "noflock")
LOCKS = {
    "flock": "import fcntl,sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)",
    "fcntl": "import fcntl,sys; fcntl.lockf(open(sys.argv[1], 'a'), fcntl.LOCK_EX | fcntl.LOCK_NB)",
}
MOVE = "work in a copy on another file system (python -m sourcewise.dag.workspace FOLDER PRESET)"


class Mount(NamedTuple):
    """Where a folder lies: the mount's path, its type and its options."""

    path: str
    kind: str
    options: list[str]


def room() -> list[Finding]:
    """Free space and inodes of the working copy and of the folder for temporary files."""
    found = []
    for name, folder in (("disk", Path.cwd()), ("temporary files", Path(tempfile.gettempdir()))):
        state = os.statvfs(folder)
        free, kind = state.f_bavail * state.f_frsize, mount(folder).kind
        seen = f"{free / GIB:.1f} GiB free ({kind}) in {folder}"
        fix = f"df -h {folder}; dvc gc --workspace; or {MOVE}"
        if name != "disk":
            fix = "export TMPDIR=/a/folder/with/room"
        if free < LEAST_FREE:
            found.append(Finding(name, "problem", seen, fix))
        elif name == "disk" and free < ENOUGH_FREE:
            found.append(Finding(name, "warning", f"{seen}: a large run keeps all attempts", fix))
        elif state.f_files > 0 and state.f_favail < LEAST_INODES:
            seen = f"{seen}, but {state.f_favail:,} files more only"
            found.append(Finding(name, "warning", seen, f"df -i {folder}"))
        else:
            found.append(Finding(name, "ok", seen))
    return found


def mount(folder: Path) -> Mount:
    """The mount that holds a folder, by the kernel's table."""
    best = Mount("/", "?", [])
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        first, _, last = line.partition(" - ")
        path = first.split()[4].encode().decode("unicode_escape")
        kind, _, options = last.split(" ", 2)
        if folder.resolve().is_relative_to(path) and len(path) >= len(best.path):
            best = Mount(path, kind, [*first.split()[5].split(","), *options.split(",")])
    return best


def file_system() -> list[Finding]:
    """Locks that another process respects, rename over an open file, and how long an fsync takes."""
    here = mount(Path.cwd())
    seen, fix = [], ""
    broken = [option for option in here.options if option in LOCAL_LOCKS]
    if here.kind == "lustre" and "flock" not in here.options:
        broken.append("no flock")
    with scratch() as folder:
        bad = [name for name in LOCKS if not _excludes(name, folder)]
        if not _renames(folder):
            bad.append("rename over an open file")
        seconds = _fsync(folder)
    if bad:
        seen.append(f"does not work: {', '.join(bad)}")
        return [Finding("file system", "problem", f"{here.kind}: {seen[0]}", MOVE)]
    works = f"{here.kind}: locks exclude, rename replaces, fsync {1000 * seconds:.1f} ms"
    if broken:
        fix = f"mount {here.path} with flock; until then run jobs of one copy on one node only"
        seen_ = f"{works}; but {', '.join(broken)}: locks hold on this node only"
        return [Finding("file system", "problem", seen_, fix)]
    if seconds > SLOW_FSYNC:
        fix = f"a batch of answers waits so long; {MOVE}"
        return [Finding("file system", "warning", works, fix)]
    if here.kind in ("tmpfs", "overlay"):
        fix = f"what is kept there goes with the machine or the container; {MOVE}"
        return [Finding("file system", "warning", works, fix)]
    return [Finding("file system", "ok", works + " (shared)" * (here.kind in NETWORK))]


def clock() -> list[Finding]:
    """The clock of this machine beside that of the file system: staleness is judged by times of files."""
    with scratch() as folder:
        before = time.time()
        file = folder / "clock"
        file.write_text("now")
        stamp, after = file.stat().st_mtime, time.time()
    # The kernel's time of files may lie a tick (10 ms) behind.
    drift = max(stamp - after, before - 0.02 - stamp, 0.0)
    seen = f"times of files are {drift:.2f} s off this machine's clock"
    if drift > DRIFT:
        fix = "set both by NTP (timedatectl set-ntp true): files would look newer or older than they are"
        return [Finding("clock", "problem", seen, fix)]
    return [Finding("clock", "ok", seen)]


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder of the working copy's file system that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=".sourcewise-doctor-", dir=Path.cwd()) as folder:
        yield Path(folder)


def _excludes(name: str, folder: Path) -> bool:
    """Whether a lock that this process holds is refused to another one."""
    path = folder / name
    lock: Callable[[int, int], object] = fcntl.flock if name == "flock" else fcntl.lockf
    with path.open("w") as held:
        lock(held.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        other = subprocess.run(
            [sys.executable, "-I", "-S", "-c", LOCKS[name], str(path)],
            capture_output=True,
            text=True,
            timeout=5,
        )
    return other.returncode != 0 and "BlockingIOError" in other.stderr


def _renames(folder: Path) -> bool:
    """Whether a file appears whole under a name that is taken and open, as results do."""
    target, partial = folder / "target", folder / "partial"
    target.write_text("old")
    with target.open() as reader:
        partial.write_text("new")
        partial.replace(target)
        return target.read_text() == "new" and not partial.exists() and reader.read() == "old"


def _fsync(folder: Path) -> float:
    """The median of seconds for one batch to be safe on disk."""
    took = []
    with (folder / "batch").open("wb") as file:
        for _ in range(5):
            start = time.monotonic()
            file.write(bytes(8192))
            file.flush()
            os.fsync(file.fileno())
            took.append(time.monotonic() - start)
    return statistics.median(took)
