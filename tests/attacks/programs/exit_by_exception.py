"""Ends with success by an exception."""

import sys

sys.exit(0)
