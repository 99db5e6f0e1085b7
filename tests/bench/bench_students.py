"""What the way from attempts to students costs: one table, each figure beside its limit.

    .venvs/model/bin/python tests/bench/bench_students.py [--only ngram] [--responses 1000000] [--check]

`--check` exits with 1 where a target is missed; the ngram filter's minutes are for 1,000,000 responses and are
scaled to `--responses`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import students_loss
import students_ngram
import students_packing
import students_perplexity
import students_training
from figure import Figure, print_table

PARTS = ("training", "loss", "ngram", "packing", "perplexity")


def figures(parts: list[str], n_responses: int) -> Iterator[Figure]:
    """The rows of the table, as they are measured."""
    if "packing" in parts:
        yield from students_packing.figures()
    if "perplexity" in parts:
        yield from students_perplexity.figures()
    if "training" in parts:
        yield from students_training.figures()
    if "loss" in parts:
        yield from students_loss.figures()
    if "ngram" in parts:
        yield from students_ngram.figures(n_responses)


def main() -> int:
    """Prints the table as it grows; 1 where `--check` finds a missed target."""
    command = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    command.add_argument("--only", choices=PARTS, action="append", default=None)
    command.add_argument("--responses", type=int, default=1_000_000)
    command.add_argument("--check", action="store_true")
    options = command.parse_args()
    rows = figures(options.only or list(PARTS), options.responses)
    return print_table(rows, check=options.check, tools=("numpy", "trl", "datasets"))


if __name__ == "__main__":
    sys.exit(main())
