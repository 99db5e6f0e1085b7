"""Whether a forecast holds: 100 corpora of the paper's lengths, each foretold from a pilot and then run.

    .venvs/workflow/bin/python tests/bench/forecast_calibration.py [--check] [--simulations N] [--queries N]

A corpus has the paper's shares of categories; of each teacher every query goes through its loop. The forecast
sees 200 queries of a category, as `sourcewise forecast` would choose them, and says 90 % intervals. `--check`
exits with 1 where an interval holds fewer than 85 of 100.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
import paper_numbers as paper
from figure import Figure, print_table

from sourcewise import predicting
from sourcewise.predicting import ASKED, Cost, Finished, Limits

LEVEL, TARGET = 0.90, 0.85
PILOT = 200
LIMITS = Limits(attempts=len(paper.ACCEPTED), max_tokens=paper.MAX_TOKENS)
# How much the attempts at one query differ in length, as the spread of a logarithm (assumed).
SPREAD = 0.3

Rows = npt.NDArray[np.int64]


def corpus(teacher: str, category: str, n: int, rng: np.random.Generator) -> Rows:
    """What the loop takes for `n` queries: a row each, with the columns of ASKED.

    A query whose answers are long is long at each attempt, and less likely to be accepted.
    """
    first = _drawing(teacher).draw(category, n, rng)
    # Ranks of lengths move the chances by a third either way; their mean stays.
    tilt = 4 / 3 - 2 / 3 * (np.argsort(np.argsort(first)) + 0.5) / n
    rows = np.zeros((n, len(ASKED)), dtype=np.int64)
    attempts, accepted, completion, prompt, scored, kept = rows.T
    left = np.arange(n)
    for attempt, share in enumerate(paper.ACCEPTED):
        longer = paper.LONGER if attempt else 1.0
        noise = np.exp(rng.normal(0, SPREAD, len(left))) if attempt else 1.0
        tokens = np.clip(first[left] * longer * noise, 1, paper.MAX_TOKENS).astype(np.int64)
        passes = rng.random(len(left)) < np.clip(share * tilt[left], 0, 1)
        both = tokens + paper.PROMPT_TOKENS
        attempts[left] += 1
        completion[left] += tokens
        prompt[left] += paper.PROMPT_TOKENS
        scored[left] += both * (passes | (attempt == 0))
        accepted[left], kept[left] = passes, both * passes
        left = left[~passes]
    return rows


@cache
def _drawing(teacher: str) -> paper.Drawing:
    return paper.lengths(teacher)


def held(n: int, rng: np.random.Generator) -> tuple[dict[str, bool], float]:
    """Which quantities of one simulated run lie in their intervals, and how wide that of GPU-hours is."""
    groups, actual = [], np.zeros(len(ASKED) + 1)
    total = sum(paper.QUERIES.values())
    for teacher, engine in paper.ENGINES.items():
        per_token = engine.gpus / engine.tokens_per_second / 3600
        for category, queries in paper.QUERIES.items():
            size = round(n * queries / total)
            rows = corpus(teacher, category, size, rng)
            chosen = rows[rng.choice(size, PILOT, replace=False)].tolist()
            finished = [Finished(category, a, bool(ok), *counts) for a, ok, *counts in chosen]
            groups.append(predicting.drawn(finished, size, LIMITS, rng).priced(Cost(per_token)))
            sums = rows.sum(axis=0)
            actual += np.append(sums, sums[predicting.COMPLETION] * per_token)
    found = predicting.total(groups).prediction(LEVEL)
    inside = {}
    for name, came in zip((*ASKED, "gpu_hours"), actual, strict=True):
        estimate = getattr(found, name)
        inside[name] = estimate.low <= came <= estimate.high
    hours = found.gpu_hours
    return inside, (hours.high - hours.low) / hours.value if hours else 0.0


def figures(simulations: int, queries: int, seed: int) -> Iterator[Figure]:
    """How many intervals of each quantity held."""
    start, rng = time.monotonic(), np.random.default_rng(seed)
    runs = [held(queries, rng) for _ in range(simulations)]
    for name in (*ASKED, "gpu_hours"):
        n = sum(inside[name] for inside, _ in runs)
        yield Figure(
            f"{name.replace('_', ' ')}: actual inside the {100 * LEVEL:.0f} % interval",
            f"{n} of {simulations}",
            f"{queries:,} queries, {PILOT} of a category in the pilot",
            f"≥ {100 * TARGET:.0f} %",
            n >= TARGET * simulations,
        )
    width = 100 * float(np.median([one for _, one in runs]))
    yield Figure("width of the interval of GPU-hours", f"{width:.1f} %", "median", "–", None)
    yield Figure("the simulations", f"{time.monotonic() - start:.0f} s", "", "–", None)


def main() -> int:
    """Prints the table; 1 where `--check` finds a missed target."""
    command = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    command.add_argument("--check", action="store_true")
    command.add_argument("--simulations", type=int, default=100)
    command.add_argument("--queries", type=int, default=18_900)
    command.add_argument("--seed", type=int, default=42)
    options = command.parse_args()
    found = figures(options.simulations, options.queries, options.seed)
    return print_table(found, check=options.check)


if __name__ == "__main__":
    sys.exit(main())
