"""Writes without end."""

import os

while True:
    os.write(1, b"x7Gq\n" * 10000)
    os.write(2, b"x" * 65536)
