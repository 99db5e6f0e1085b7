"""Reads and writes the memory of other processes."""

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
buffer = ctypes.create_string_buffer(4096)
local = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 4096)
for pid in range(1, 100):
    remote = (ctypes.c_size_t * 2)(0x400000, 4096)
    if libc.process_vm_readv(pid, local, 1, remote, 1, 0) > 0:
        print(buffer.raw)
    for name in ("mem", "environ", "fd/1", "root/etc/passwd"):
        try:
            print(open(f"/proc/{pid}/{name}", "rb").read(100))
        except OSError:
            pass


def f(x):
    return os.getpid()
