"""Runs a program that nobody trusts and returns what it wrote: bubblewrap, seccomp, hard limits.

Covered: the program sees no file of the host but /usr (read only), its interpreter and what is bound for
it, no environment, no network, no other process; it cannot gain privileges (user namespace without further
ones, no capabilities, a list of denied system calls; as root the host's uid is dropped as well); CPU time of
all its processes together, sleep, memory, processes, file sizes and output are capped; when it ends, or is
ended, every process it left behind is gone. C++ is compiled in the same sandbox, so that an #include or an
assembler's .incbin reads nothing of the host; the binary is run from a cache that no program can write, and
only if its digest is right.

CPU time is read off /proc every 50 ms and capped for a single process by the kernel as well. The clock counts
only while all processes sleep, and at twenty times the limit: a loaded machine changes no verdict.

Not covered: a hole in the kernel, or in bwrap; timing and cache side channels; one program's use of CPU
caches and disk bandwidth; children that live shorter than 50 ms and that nobody waits for, whose CPU time
counts only by the clock; on kernels before 5.14 RLIMIT_NPROC counts across concurrent sandboxes. Who can write
to the cache's folder, or can make programs run as this user, can put binaries there. There is no fallback:
where namespaces are not available, `probe` raises and nothing is run.
"""

from sourcewise.grading.sandbox.command import SandboxUnavailableError
from sourcewise.grading.sandbox.compiler import CompileError, build
from sourcewise.grading.sandbox.decode import Value
from sourcewise.grading.sandbox.runs import TOO_LONG, evaluate, probe, run_binary, run_script
from sourcewise.grading.sandbox.supervisor import Result
from sourcewise.grading.sandbox.watch import Limits

__all__ = [
    "TOO_LONG",
    "CompileError",
    "Limits",
    "Result",
    "SandboxUnavailableError",
    "Value",
    "build",
    "evaluate",
    "probe",
    "run_binary",
    "run_script",
]
