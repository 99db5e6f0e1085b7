"""Writes to the host where programs and settings lie."""

import os

for path in ("/usr/bin/sourcewise_attack", "/etc/ld.so.preload", "/dev/sourcewise_attack"):
    try:
        with open(path, "w") as file:
            file.write("x")
        print("wrote", path)
    except OSError:
        pass
for target in ("/usr/bin/env", "/program"):
    try:
        os.chmod(target, 0o6777)
        os.link(target, "/tmp/sourcewise_attack_link")
        print("linked", target)
    except OSError:
        pass
