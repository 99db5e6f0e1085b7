"""Makes success of every exception."""

import os
import sys

sys.excepthook = lambda *error: os._exit(0)
raise ValueError
