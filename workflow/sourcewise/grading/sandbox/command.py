"""The command line that makes the sandbox, and the check that this machine can make one."""

from __future__ import annotations

import functools
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sourcewise.grading.sandbox import inside

NOBODY = 65534
TMP_BYTES = 64 << 20
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


_COMPILE = """
import marshal, sys
code = compile(sys.stdin.buffer.read(), "inside.py", "exec", optimize=2)
sys.stdout.buffer.write(marshal.dumps(code))
"""
_LOAD = """
import marshal, posix
code = b""
while len(code) < {n}:
    code += posix.read(0, {n} - len(code)) or posix._exit(1)
exec(marshal.loads(code))
"""


class SandboxUnavailableError(RuntimeError):
    """Programs cannot be run safely here; the message names the remedy."""


NOT_INSTALLED = (
    "{package} is not installed: without its {program} there is no sandbox, and programs are only "
    "run inside one: install it (Debian, Ubuntu: apt-get install {package})"
)
NO_NAMESPACES = """\
bubblewrap cannot make a sandbox here: {problem}
It needs unprivileged user namespaces. Check, as an administrator:
  sysctl user.max_user_namespaces                       must be above 0
  sysctl kernel.unprivileged_userns_clone               where it exists, must be 1
  sysctl kernel.apparmor_restrict_unprivileged_userns   where it is 1 (Ubuntu 24.04), add an AppArmor
      profile /etc/apparmor.d/bwrap that allows `userns` to /usr/bin/bwrap, or set it to 0
  in Docker: --security-opt seccomp=unconfined --security-opt apparmor=unconfined
Code is never run without the sandbox."""


@functools.cache
def command() -> tuple[str, ...]:
    """bwrap with all its flags; what it is to run comes after them.

    The caller puts descriptors in the place of the elements "SECCOMP" and "INFO", and what else the
    program may read in the place of "BINDS".
    Raises SandboxUnavailableError where bwrap or a usable interpreter is missing.
    """
    bwrap = _found("bwrap", "bubblewrap")
    _, binds = interpreter()
    # No /proc and three devices: what is not there needs no guard. Without --remount-ro the root
    # would be a writable file system without a limit.
    return (
        *(*_dropped(), bwrap, "--unshare-all", "--unshare-user", "--disable-userns"),
        *("--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"),
        *("--uid", str(NOBODY), "--gid", str(NOBODY), "--hostname", "sandbox"),
        *("--ro-bind", "/usr", "/usr", *_links(), *binds),
        *(part for device in DEVICES for part in ("--dev-bind", device, device)),
        "BINDS",
        *("--size", str(TMP_BYTES), "--tmpfs", "/tmp", "--remount-ro", "/", "--chdir", "/tmp"),
        # A fixed hash seed: the order of a set must not change a verdict.
        *("--setenv", "PYTHONHASHSEED", "0", "--seccomp", "SECCOMP", "--info-fd", "INFO"),
    )


def _dropped() -> tuple[str, ...]:
    """As root, what gives up root first: uid 65534 inside would still be root outside.

    A program of its own, because Python can start one as another user only by copying all of itself
    (2 ms for a small process). The folder stays the same; of its kind this is the cheapest (0.5 ms).
    """
    if os.geteuid() != 0:
        return ()
    return _found("chroot", "coreutils"), f"--userspec=+{NOBODY}:+{NOBODY}", "--groups=", "/"


def _found(program: str, package: str) -> str:
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if path is None:
        raise SandboxUnavailableError(NOT_INSTALLED.format(package=package, program=program))
    return path


@functools.cache
def python() -> tuple[str, ...]:
    """The interpreter, and what makes it run `loaded`, which its input has to begin with."""
    return interpreter()[0], "-s", "-S", "-B", "-c", _LOAD.format(n=len(loaded()))


@functools.cache
def loaded() -> bytes:
    """The program that runs inside, around the one that nobody trusts.

    Compiled beforehand by the same interpreter, and sent instead of written into the command: either saves a
    millisecond of every run.
    """
    return subprocess.run(
        [interpreter()[0], "-I", "-S", "-c", _COMPILE],
        input=Path(inside.__file__).read_bytes(),
        capture_output=True,
        check=True,
    ).stdout


def binary(seconds: float, memory_mb: int, program: Sequence[str]) -> tuple[str, ...]:
    """A program that is no Python's, under the same limits as `inside` sets."""
    cpu = math.ceil(seconds)
    limits = (
        *(f"--cpu={cpu}:{cpu + 1}", f"--as={memory_mb << 20}", f"--fsize={inside.FILE_BYTES}"),
        *(f"--nofile={inside.OPEN_FILES}", f"--stack={inside.STACK_BYTES}"),
        *(f"--nproc={inside.PROCESSES}", "--core=0"),
    )
    start = 'echo ready && exec prlimit "$@"'
    return "/bin/sh", "-c", start, "sh", *limits, "--", *program


@functools.cache
def interpreter() -> tuple[str, tuple[str, ...]]:
    """A Python that the sandboxed user can read, this one's if possible, and the binds it needs."""
    own = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    system = [f"/usr/bin/{own.name}", f"/usr/local/bin/{own.name}", "/usr/bin/python3"]
    for candidate in (own, *map(Path, system)):
        if reachable(candidate):
            prefix = str(candidate.resolve().parent.parent)
            inside_usr = Path(prefix).is_relative_to("/usr")
            return str(candidate), () if inside_usr else ("--ro-bind", prefix, prefix)
    raise SandboxUnavailableError(
        f"no Python for the sandbox: an unprivileged user cannot read {own}, and there is no "
        "/usr/bin/python3. Install the system's (Debian, Ubuntu: apt-get install python3)"
    )


def reachable(path: Path) -> bool:
    """Whether uid NOBODY (as root) or this user reaches a path; root's home is closed to others."""
    if os.geteuid() != 0 or not path.exists():
        return os.access(path, os.R_OK | os.X_OK)
    return all(parent.stat().st_mode & 0o001 for parent in (path, *path.resolve().parents))


def _links() -> list[str]:
    """/bin, /lib and their kin as the host has them: links into /usr, or directories of their own."""
    parts: list[str] = []
    for name in ("bin", "sbin", "lib", "lib64"):
        path = Path("/") / name
        if path.is_symlink():
            parts += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            parts += ["--ro-bind", str(path), str(path)]
    return parts
