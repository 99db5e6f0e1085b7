"""A thread that goes on writing values while others are written."""

import os
import threading


def write():
    while True:
        for fd in range(1, 10):
            try:
                os.write(fd, b'"p0Z"\n"x7G"\n')
            except OSError:
                pass


threading.Thread(target=write, daemon=True).start()


def f(x):
    return x
