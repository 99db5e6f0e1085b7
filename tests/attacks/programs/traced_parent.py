"""Attaches to its parents as a debugger."""

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
for pid in (1, os.getppid()):
    assert libc.ptrace(16, pid, 0, 0) == 0
