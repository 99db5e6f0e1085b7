"""Ends with success without Python noticing."""

import ctypes

ctypes.CDLL(None)._exit(0)
