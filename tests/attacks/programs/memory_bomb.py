"""Takes all memory."""

parts = []
while True:
    parts.append(bytearray(64 << 20))
