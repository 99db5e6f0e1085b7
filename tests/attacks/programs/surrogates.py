"""Returns and prints half characters."""

import sys


def f(x):
    return "\ud800" * 10


sys.stdout.buffer.write(b"\xff\xfe\x00x7G\n")
