"""Unpacks a small text to a large one."""

import zlib

part = zlib.compress(bytes(100 << 20))
text = zlib.decompress(part) * 100
