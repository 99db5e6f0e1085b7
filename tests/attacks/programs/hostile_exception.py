"""Raises an exception whose text never ends."""

class Hostile(Exception):
    def __str__(self):
        while True:
            pass


def f(x):
    raise Hostile


raise Hostile
