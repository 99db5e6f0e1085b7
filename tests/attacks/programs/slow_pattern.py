"""Matches a pattern that goes back without end."""

import re


def f(x):
    return re.fullmatch("(a|aa)+b", "a" * 60)


f(1)
