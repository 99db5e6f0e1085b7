"""How long an engine takes for a list of responses, from a model of continuous batching.

An engine runs up to `slots` sequences; each of its steps adds a token to all of them and takes
`step + per_sequence * running` seconds: reading the weights, then what each sequence adds. Counted in steps, a
sequence of n tokens occupies a slot for n, whatever runs beside it. So the job's steps are those of
list scheduling on `slots` machines, and its seconds `step * steps + per_sequence * tokens`, exactly.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Lengths = npt.NDArray[np.int64]


class Engine(NamedTuple):
    """An engine on its GPUs; times in seconds. `load` is from the start of the job to the first step."""

    gpus: int
    slots: int
    step: float
    per_sequence: float
    per_prompt_token: float
    load: float

    @property
    def tokens_per_second(self) -> float:
        """Completion tokens a second of a full batch."""
        return self.slots / (self.step + self.per_sequence * self.slots)


class Took(NamedTuple):
    """The seconds of a job: the start of its engine, what a full batch takes, what thin batches add."""

    load: float
    full: float
    thin: float

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.load + self.full + self.thin


def steps(lengths: Lengths, slots: int) -> int:
    """The steps of sequences that are started in order, each as soon as a slot is free."""
    if len(lengths) <= slots:
        return int(lengths.max(initial=0))
    ends = lengths[:slots].tolist()
    heapq.heapify(ends)
    replace = heapq.heapreplace
    for length in lengths[slots:].tolist():
        replace(ends, ends[0] + length)
    return max(ends)


def took(lengths: Lengths, prompt_tokens: int, engine: Engine) -> Took:
    """What a job takes for responses of these lengths; one without any starts no engine."""
    if not len(lengths):
        return Took(0.0, 0.0, 0.0)
    tokens = int(lengths.sum())
    full = tokens / engine.tokens_per_second + engine.per_prompt_token * prompt_tokens
    thin = engine.step * (steps(lengths, engine.slots) - tokens / engine.slots)
    return Took(engine.load, full, thin)
