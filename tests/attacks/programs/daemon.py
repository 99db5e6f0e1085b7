"""Leaves a process behind that belongs to nobody."""

import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 64)
        while True:
            time.sleep(1)
            with open("/tmp/sourcewise_attack_daemon", "w") as file:
                file.write("alive")
    os._exit(0)


def f(x):
    return x
