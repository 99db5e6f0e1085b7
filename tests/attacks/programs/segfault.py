"""Writes where it may not."""

import ctypes

ctypes.memset(8, 1, 8)
