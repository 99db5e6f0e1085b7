"""Makes namespaces and mounts of its own."""

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
for flag in (0x10000000, 0x00020000, 0x20000000, 0x40000000):
    if libc.unshare(flag) == 0:
        print("unshared", hex(flag))
if libc.mount(b"none", b"/tmp", b"tmpfs", 0, 0) == 0:
    print("mounted")
for name in os.listdir("/tmp"):
    print(name)
