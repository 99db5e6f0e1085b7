"""Ends with success when the interpreter does."""

import atexit
import os

atexit.register(os._exit, 0)


def f(x):
    raise SystemExit
