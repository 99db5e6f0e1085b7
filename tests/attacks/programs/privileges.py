"""Asks for another user, capabilities and a set-user-id program."""

import ctypes
import os
import shutil

libc = ctypes.CDLL(None, use_errno=True)
for attempt in (
    lambda: os.setuid(0),
    lambda: os.setgroups([0]),
    lambda: os.chroot("/tmp"),
    lambda: os.nice(-20),
    lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99)),
):
    try:
        attempt()
        print("allowed")
    except OSError:
        pass
shutil.copy("/bin/sh", "/tmp/sourcewise_attack_sh")
os.chmod("/tmp/sourcewise_attack_sh", 0o4755)
