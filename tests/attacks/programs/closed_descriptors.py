"""Closes every descriptor."""

import os

os.closerange(0, 64)


def f(x):
    return x
