"""Kills its parent, then everybody."""

import os
import signal

for pid in (os.getppid(), 1, -1):
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except OSError:
            pass
