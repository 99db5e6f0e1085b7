"""Loops in a text: a phrase that follows itself again and again, as a model writes that has lost the thread."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sourcewise.text import units

# A phrase that repeats is at least this long, so that rows of zeros or dashes are no loop.
MIN_PHRASE, MAX_PHRASE = 8, 256


def loop(text: str, max_repeats: int) -> str | None:
    """How often which phrase of 8 to 256 words and signs follows itself more than `max_repeats` times."""
    tokens = units(text)
    codes = {token: code for code, token in enumerate(dict.fromkeys(tokens))}
    stream = np.array([codes[token] for token in tokens], dtype=np.int64)
    if not _may_loop(stream, max_repeats):
        return None
    for period in range(MIN_PHRASE, min(MAX_PHRASE, len(stream) // (max_repeats + 1)) + 1):
        same = stream[period:] == stream[:-period]
        # The lengths of runs of equality, from the places where it fails.
        failures = np.flatnonzero(np.concatenate(([True], ~same, [True])))
        runs = np.diff(failures) - 1
        longest = int(runs.argmax())
        start = int(failures[longest])
        phrase = tokens[start : start + period]
        if runs[longest] >= period * max_repeats and len(set(phrase)) > 2:
            return f"{runs[longest] // period + 1} x {' '.join(phrase)[:200]}"
    return None


def _may_loop(stream: npt.NDArray[np.int64], max_repeats: int) -> bool:
    """Whether some 8 tokens come often enough: what a loop begins with stands in it once a round.

    A twentieth of the time that looking for every period takes; hashes that meet by chance cost time only.
    """
    if len(stream) < MIN_PHRASE * (max_repeats + 1):
        return False
    n = len(stream) - MIN_PHRASE + 1
    hashes = np.zeros(n, dtype=np.uint64)
    for place in range(MIN_PHRASE):
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + stream[place : place + n].astype(
            np.uint64
        )
    hashes.sort()
    return bool(np.any(hashes[max_repeats:] == hashes[: n - max_repeats]))
