"""Connects to servers of the host, by number and by name."""

import socket

for family, address in (
    (socket.AF_INET, ("127.0.0.1", 22)),
    (socket.AF_INET, ("169.254.169.254", 80)),
    (socket.AF_UNIX, "\0sourcewise_attack"),
    (socket.AF_UNIX, "/run/docker.sock"),
):
    try:
        socket.socket(family).connect(address)
        print("connected", address)
    except OSError:
        pass


def f(x):
    return "x7G"
