"""The paper's run in numbers: queries, lengths, acceptance, engines. What nobody states is assumed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sourcewise.schedule.batching import Engine

Lengths = npt.NDArray[np.int64]

MAX_TOKENS = 32768
# Figure 2: instances, and millions of output tokens by teacher.
QUERIES = {
    "math": 558_200,
    "code": 323_965,
    "science": 159_700,
    "instruction": 58_500,
    "dialogue": 790_300,
}
MILLIONS: Mapping[str, Mapping[str, float]] = {
    "am_thinking_v1": dict(zip(QUERIES, (2097.1, 1677.1, 322.3, 112.0, 2077.8), strict=True)),
    "qwen3_235b_a22b": dict(zip(QUERIES, (2342.3, 1691.4, 277.3, 67.4, 1779.9), strict=True)),
    "deepseek_r1": dict(zip(QUERIES, (2112.6, 1353.4, 286.3, 69.7, 1331.1), strict=True)),
}
# Figure 3, math: instances in spans of 1,024 tokens, the last one open; figure 4: the shortest.
SPAN = 1024
SPANS = {
    "am_thinking_v1": (
        153508,
        143468,
        67356,
        42392,
        29774,
        22448,
        17564,
        13765,
        11323,
        9152,
        48361,
    ),
    "qwen3_235b_a22b": (
        52974,
        144960,
        93947,
        62743,
        46191,
        36015,
        28010,
        22448,
        17292,
        13086,
        41442,
    ),
    "deepseek_r1": (24619, 194210, 110907, 64913, 42392, 29639, 21227, 16343, 12408, 9559, 32895),
}
SHORTEST = {"am_thinking_v1": 218, "qwen3_235b_a22b": 208, "deepseek_r1": 139}
# Template and question, derived from the paper's steps of training (308 to 316).
PROMPT_TOKENS = 310

# Assumed: the paper states neither attempts nor acceptance. As tiny teachers went, and what is left is harder.
ACCEPTED = (0.75, 0.40, 0.30, 0.20)
LONGER = 1.5

# Assumed, by arithmetic on H100s of 80 GB (docs/scale.md): nothing of this was run on a GPU.
ENGINES = {
    "am_thinking_v1": Engine(4, 190, 13e-3, 0.19e-3, 0.04e-3, 125.0),
    "qwen3_235b_a22b": Engine(8, 110, 32e-3, 0.074e-3, 0.014e-3, 325.0),
    "deepseek_r1": Engine(16, 1024, 24e-3, 0.023e-3, 0.012e-3, 430.0),
}
# Core-seconds of judging a response: math, instruction and code as docs/benchmarks.md measured them. Science
# and dialogue wait for a judge: two readings of one second each, 16 at a time (assumed).
JUDGING = {
    "math": 1 / 1552,
    "code": 1 / 50,
    "instruction": 1 / 407,
    "science": 2 / 16,
    "dialogue": 2 / 16,
}
# The 32B scorer on 4 GPUs reads tokens as prompts (assumed, as the engine above).
SCORER_GPUS = 4
SCORED_PER_SECOND = 1 / 0.04e-3

# The preset's students and the teacher of each; a student is as large as the smallest teacher.
LIKE_THE_STUDENT = "am_thinking_v1"
STUDENTS = {
    "am_thinking_v1": "am_thinking_v1",
    "qwen3_235b_a22b": "qwen3_235b_a22b",
    "deepseek_r1": "deepseek_r1",
    "deepseek_r1_unverified": "deepseek_r1",
    "am_common_perplexity": "am_thinking_v1",
}
EPOCHS = 2
# 6 operations a weight and token, 32.5 billion weights, 40 % of an H100's 989 TFLOP/s (assumed).
TRAINED_PER_SECOND = 0.4 * 989e12 / (6 * 32.5e9)
# 8.3 to 11.7 minutes of a processor for a million responses (docs/benchmarks.md).
FILTER_SECONDS = 1.89 * 11.7 * 60
# Samples of the four benchmarks (167 problems of LiveCodeBench: assumed), and their mean lengths by table 2.
SAMPLES = (30 * 64, 30 * 64, 500 * 4, 167 * 16)
SAMPLED = {
    "am_thinking_v1": (15273.8, 18199.2, 3495.7, 23426.9),
    "qwen3_235b_a22b": (13516.4, 16975.7, 6429.4, 13576.7),
    "deepseek_r1": (11853.5, 13495.9, 3613.0, 30731.0),
}


def train_seconds(teacher: str) -> float:
    """GPU-seconds of training a student on this teacher's responses."""
    tokens = sum(MILLIONS[teacher].values()) * 1e6 + PROMPT_TOKENS * sum(QUERIES.values())
    return EPOCHS * tokens / TRAINED_PER_SECOND


def sampled_tokens(teacher: str) -> float:
    """Tokens of all benchmark samples of this teacher's student."""
    return sum(n * length for n, length in zip(SAMPLES, SAMPLED[teacher], strict=True))


class Tail(NamedTuple):
    """Lengths beyond the last span: exponential of this rate, cut off at MAX_TOKENS."""

    start: float
    rate: float

    def draw(self, uniform: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Lengths at quantiles."""
        width = MAX_TOKENS - self.start
        if abs(self.rate * width) < 1e-9:
            return self.start + uniform * width
        most = -math.expm1(-self.rate * width)
        return self.start - np.log1p(-uniform * most) / self.rate

    @property
    def mean(self) -> float:
        """The mean length."""
        grid = (np.arange(4096) + 0.5) / 4096
        return float(self.draw(grid).mean())


def tail(teacher: str) -> Tail:
    """The tail with which the mean of math's lengths is the printed one."""
    spans = np.array(SPANS[teacher], dtype=np.float64)
    middles = (np.arange(len(spans) - 1) + 0.5) * SPAN
    middles[0] = (SHORTEST[teacher] + SPAN) / 2
    mean = MILLIONS[teacher]["math"] * 1e6 / QUERIES["math"]
    wanted = (mean * spans.sum() - float(middles @ spans[:-1])) / spans[-1]
    start = (len(spans) - 1) * SPAN
    low, high = -1e-3, 1e-2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if Tail(start, middle).mean > wanted else (low, middle)
    return Tail(start, low)


class Drawing(NamedTuple):
    """Draws lengths of one teacher: math as in figure 3, others of its shape and their own mean."""

    teacher: str
    tail: Tail

    def draw(
        self, category: str, n: int, rng: np.random.Generator, *, factor: float = 1.0
    ) -> Lengths:
        """`n` lengths in tokens, cut off at MAX_TOKENS as the teachers are."""
        spans = np.array(SPANS[self.teacher], dtype=np.float64)
        which = rng.choice(len(spans), size=n, p=spans / spans.sum())
        uniform = rng.random(n)
        lengths = (which + uniform) * SPAN
        first = which == 0
        lengths[first] = SHORTEST[self.teacher] + uniform[first] * (SPAN - SHORTEST[self.teacher])
        last = which == len(spans) - 1
        lengths[last] = self.tail.draw(uniform[last])
        scale = factor * mean_length(self.teacher, category) / mean_length(self.teacher, "math")
        return np.clip(np.ceil(lengths * scale), 1, MAX_TOKENS).astype(np.int64)


def mean_length(teacher: str, category: str) -> float:
    """The mean of figure 2."""
    return MILLIONS[teacher][category] * 1e6 / QUERIES[category]


def lengths(teacher: str) -> Drawing:
    """The lengths of one teacher."""
    return Drawing(teacher, tail(teacher))
