"""Sleeps for ever, without using the CPU."""

import time

while True:
    time.sleep(1000)
