"""Runs a program that nobody trusts and returns what it wrote: bubblewrap, seccomp, hard limits.

Covered: the program sees no file of the host but /usr (read only) and its interpreter, no environment,
no network, no other process; it cannot gain privileges (user namespace without further ones, no
capabilities, a list of denied system calls; as root the host's uid is dropped as well); CPU time, wall
time, memory, processes, file sizes and output are capped; when it ends, or is ended, every process it
left behind is gone.

Not covered: a hole in the kernel; timing and cache side channels; one program's use of CPU caches and
disk bandwidth; on kernels before 5.14 RLIMIT_NPROC counts across concurrent sandboxes. There is no
fallback: where namespaces are not available, `probe` raises and nothing is run.
"""

from sourcewise.grading.sandbox.command import SandboxUnavailableError
from sourcewise.grading.sandbox.conversation import Limits
from sourcewise.grading.sandbox.supervisor import Result, evaluate, probe, run_script

__all__ = ["Limits", "Result", "SandboxUnavailableError", "evaluate", "probe", "run_script"]
