"""Takes all memory with many processes."""

import os

for _ in range(12):
    if os.fork() == 0:
        break
parts = [bytearray(b"x" * (20 << 20)) for _ in range(10)]
while True:
    pass
