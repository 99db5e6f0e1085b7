"""Enters the kernel by its 32-bit door, which has other numbers."""

import ctypes
import mmap

code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
# mov eax, 26 (ptrace); xor ebx, ebx; int 0x80; ret
code.write(bytes.fromhex("b81a00000031dbcd80c3"))
address = ctypes.addressof(ctypes.c_char.from_buffer(code))
print(ctypes.CFUNCTYPE(ctypes.c_long)(address)())
