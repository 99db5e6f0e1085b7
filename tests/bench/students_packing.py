"""How full packing makes rows of 32,768 tokens with the lengths of the paper's math responses."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from figure import Figure

from sourcewise.training.packing import best_fit

MAX_LENGTH, EXAMPLES = 32_768, 200_000
FILL, SECONDS = 0.995, 20
# Paper, figure 3: responses of AM-Thinking-v1 by spans of 1,024 tokens, and those above 10,240.
SPAN, WITHIN, ABOVE = (
    1024,
    (153_508, 143_468, 67_356, 42_392, 29_774, 22_448, 17_564, 13_765, 11_323, 9_152),
    48_361,
)


def lengths(n: int) -> np.ndarray:
    """Lengths in tokens, uniform within each span; above the last one up to what a row holds."""
    draw = np.random.default_rng(1)
    counts = np.array([*WITHIN, ABOVE])
    spans = draw.choice(len(counts), size=n, p=counts / counts.sum())
    starts = SPAN * spans
    ends = np.where(spans == len(WITHIN), MAX_LENGTH, starts + SPAN)
    return draw.integers(starts + 1, ends + 1)


def figures() -> Iterator[Figure]:
    """Fill and seconds of the packing that training does."""
    chosen = lengths(EXAMPLES)
    start = time.perf_counter()
    bins = best_fit(chosen.tolist(), MAX_LENGTH)
    seconds = time.perf_counter() - start
    # TRL packs each thousand examples, the batch of `Dataset.map`, for itself.
    thousands = [
        best_fit(chosen[n : n + 1000].tolist(), MAX_LENGTH) for n in range(0, EXAMPLES, 1000)
    ]
    fill, theirs = (chosen.sum() / (n * MAX_LENGTH) for n in (len(bins), sum(map(len, thousands))))
    yield Figure(
        f"packing {EXAMPLES:,} examples of {chosen.mean():,.0f} tokens into rows of {MAX_LENGTH:,}",
        f"{fill:.3%} full, {len(bins):,} rows, {seconds:.1f} s",
        f"by thousands, as TRL does: {theirs:.3%}",
        f"≥ {FILL:.1%}, ≤ {SECONDS} s",
        bool(fill >= FILL and seconds <= SECONDS),
    )
