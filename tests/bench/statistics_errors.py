"""How often a score's interval holds the true one once the verifier's errors are out of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from figure import Figure
from simulated import LEVEL, Coverage, coverage, holds

from sourcewise import error_rates, statistics

RUNS = 3000


def figures() -> Iterator[Figure]:
    """Rates of errors, known from labelled answers, and difficulties."""
    yield _without_errors(np.random.default_rng(20_26))


def _without_errors(rng: np.random.Generator) -> Figure:
    """Scores with the verifier's errors taken out, by rates from labelled sets of 150 and 150 answers."""
    found = []
    for accepts, rejects in ((0.01, 0.02), (0.05, 0.1), (0.1, 0.01)):
        for n, k, shape in ((30, 16, (1.2, 0.3)), (500, 4, (0.5, 0.5)), (30, 64, (0.3, 2.7))):
            truth = shape[0] / sum(shape)
            ours = plain = 0
            for _ in range(RUNS):
                right = rng.binomial(k, rng.beta(*shape, n))
                passed = rng.binomial(right, 1 - rejects) + rng.binomial(k - right, accepts)
                measured = statistics.average((passed / k).tolist(), n * k, LEVEL)
                rates = [statistics.exact(rng.binomial(150, rate), 150, LEVEL)
                         for rate in (accepts, rejects)]  # fmt: skip
                corrected = error_rates.corrected(measured, *rates)
                assert corrected is not None
                ours += holds(corrected[1:3], truth)
                plain += holds(measured[1:3], truth)
            found.append(Coverage(ours / RUNS, plain / RUNS))
    what = "scores without the verifier's errors, rates from 150 + 150 answers"
    return coverage(what, "as measured", found)
