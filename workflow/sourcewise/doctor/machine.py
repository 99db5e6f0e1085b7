"""This machine: processors and memory that a run may use, open files, the language of texts, the sandbox."""

from __future__ import annotations

import locale
import os
import resource
import shutil
import sys
from pathlib import Path

from sourcewise.doctor.findings import LATE, CommandError, Finding, SilentError, count, say
from sourcewise.grading import sandbox

GIB = 1 << 30
# vLLM and the tables of a shard fit beside each other.
LEAST_MEMORY = 4 * GIB
# A job keeps hundreds of requests in flight, and ledgers and tables open beside them.
LEAST_FILES = 4096
# Compiled in a fraction of a second; all of bits/stdc++.h takes seconds on a busy machine.
PROGRAM = """
#if !__has_include(<bits/stdc++.h>)
#error "bits/stdc++.h is missing"
#endif
#include <vector>
int main() { return std::vector<int>{0}[0]; }
"""


def limits() -> list[Finding]:
    """Cores and memory of this process by its control group, and how many files it may open."""
    cores, quota = len(os.sched_getaffinity(0)), _cpu_quota()
    memory, bound = _memory()
    seen = f"{count(cores, 'core')}, {memory / GIB:.1f} GiB of memory{bound}"
    found = [Finding("limits", "ok", seen)]
    if quota is not None and quota < cores - 0.5:
        found = [
            Finding(
                "limits",
                "warning",
                f"{seen}, but processor time of {quota:g} cores only: verifiers start a process a core",
                f"export SOURCEWISE_WORKERS={max(1, int(quota))}; snakemake --cores {max(1, int(quota))}",
            )
        ]
    if memory < LEAST_MEMORY:
        fix = "ask for more memory (Slurm: --mem), or run on another machine"
        found.append(Finding("limits", "warning", "less than 4 GiB of memory", fix))
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and files < LEAST_FILES:
        enough = most == resource.RLIM_INFINITY or most >= LEAST_FILES
        fix = f"ulimit -n {LEAST_FILES}" if enough else "raise nofile in /etc/security/limits.conf"
        found.append(Finding("limits", "warning", f"a process may open {files:,} files only", fix))
    return found


def _cpu_quota() -> float | None:
    """The processor time that the control group grants, in cores; None where it is not bounded."""
    for file, period in (
        ("/sys/fs/cgroup/cpu.max", ""),
        ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
    ):
        try:
            words = Path(file).read_text().split() + (
                Path(period).read_text().split() if period else []
            )
            granted, of = words
        except (OSError, ValueError):
            continue
        if granted not in ("max", "-1"):
            return int(granted) / int(of)
    return None


def _memory() -> tuple[float, str]:
    """Bytes of memory, and whose bound they are."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            bound = int(Path(file).read_text())
        except (OSError, ValueError):
            continue
        if bound < total:
            return bound, " (bound of the control group)"
    return total, ""


def texts() -> list[Finding]:
    """Whether names and texts of all languages can be written here."""
    encoding = sys.getfilesystemencoding()
    if encoding.lower().replace("-", "") != "utf8":
        return [
            Finding(
                "locale", "problem", f"files are written as {encoding}", "export LC_ALL=C.UTF-8"
            )
        ]
    try:
        locale.setlocale(locale.LC_ALL, "")
    except locale.Error:
        named = os.environ.get("LC_ALL") or os.environ.get("LANG") or "?"
        seen = f"the locale {named} is not installed; programs complain or fall back"
        return [Finding("locale", "warning", seen, "export LC_ALL=C.UTF-8")]
    return [Finding("locale", "ok", "UTF-8")]


def sandboxed() -> list[Finding]:
    """User namespaces and bubblewrap: a program is run in the sandbox, as the verifier of code does."""
    version = "bubblewrap"
    if shutil.which("bwrap"):
        version = say("bwrap", "--version").strip()
    try:
        sandbox.probe()
    except sandbox.SandboxUnavailableError as error:
        first, *rest = str(error).splitlines()
        fix = "apt-get install bubblewrap" if not shutil.which("bwrap") else "\n".join(rest)
        return [Finding("sandbox", "problem", first, fix)]
    return [Finding("sandbox", "ok", f"{version} ran a program in user namespaces of its own")]


def compiler(seconds: float) -> list[Finding]:
    """g++ with the header that answers in C++ begin with, within so many seconds."""
    try:
        version = say("g++", "-dumpfullversion", "-dumpversion").strip()
        say(
            "g++", "-std=gnu++17", "-fsyntax-only", "-x", "c++", "-", stdin=PROGRAM, seconds=seconds
        )
    except SilentError as error:
        return [Finding("compiler", "warning", str(error), LATE)]
    except CommandError as error:
        return [
            Finding("compiler", "problem", f"no C++ is compiled: {error}", "apt-get install g++")
        ]
    return [Finding("compiler", "ok", f"g++ {version} with bits/stdc++.h")]
