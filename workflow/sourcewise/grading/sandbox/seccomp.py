"""The system calls that a program in the sandbox may not make, as a BPF program for `bwrap --seccomp`.

Denied calls return EPERM. They are ways to look into or out of the sandbox, or at the kernel's less
guarded parts, that no solution to an exercise needs.
"""

from __future__ import annotations

import functools
import platform
import struct

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _EPERM = 0x7FFF0000, 0x80000000, 0x00050001
_OFFSET_NUMBER, _OFFSET_ARCH = 0, 4
_X32 = 0x40000000  # the second system call table of x86_64 kernels

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# Names as in the kernel's unistd.h; the two numbers are those of x86_64 and aarch64.
_DENIED = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "personality": (135, 92),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "socket": (41, 198),
}


@functools.cache
def program(machine: str | None = None) -> bytes:
    """The filter for a machine (default: this one); raises ValueError for one that has no table here."""
    machine = machine or platform.machine()
    if machine not in _AUDIT_ARCH:
        known = ", ".join(_AUDIT_ARCH)
        raise ValueError(f"no system call table for {machine}: the sandbox knows {known}")
    column = list(_AUDIT_ARCH).index(machine)
    numbers = sorted(pair[column] for pair in _DENIED.values())
    deny = len(numbers) + 1  # instructions between the first comparison and the denial
    steps = [
        (_LOAD, 0, 0, _OFFSET_ARCH),
        (_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _OFFSET_NUMBER),
        (_AT_LEAST, deny, 0, _X32),
        *((_EQUAL, deny - 1 - i, 0, number) for i, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _EPERM),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
