"""Distinct problems of four tasks, split so that training and benchmarks never share a query."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from sourcewise.params.queries import Synthetic
from sourcewise.synthetic import arithmetic, code, instruction
from sourcewise.tables import Message
from sourcewise.text import query_id

HELD_OUT_EVERY = 6
# A task that gives nothing unseen in so many draws has too few problems for the n that was asked for.
MAX_DRAWS = 5000

Solution = arithmetic.Calculation | code.Function | instruction.Constraints
CATEGORIES = {
    "arithmetic": "math",
    "multi_turn": "math",
    "code": "code",
    "instruction": "instruction",
}


@dataclass(frozen=True)
class Problem:
    """A query with its category's reference, and the solution that traces are written from."""

    messages: list[Message]
    category: str
    reference: str
    solution: Solution


def problems(spec: Synthetic, *, seed: int) -> Iterator[Problem]:
    """Yields `spec.n` problems, no query twice; the same spec and seed give the same problems.

    Raises ValueError where the task does not have that many.
    """
    rng = random.Random(f"{seed}/{spec.seed}/{spec.task}/{spec.split}")
    seen: set[str] = set()
    for index in range(spec.n):
        yield _unseen(spec, rng, seen, index)


def is_held_out(identity: str) -> bool:
    """Whether the query with this identity belongs to benchmarks; a function of its text alone."""
    return int(identity[-8:], 16) % HELD_OUT_EVERY == 0


def _unseen(spec: Synthetic, rng: random.Random, seen: set[str], index: int) -> Problem:
    for _ in range(MAX_DRAWS):
        messages, solution = _draw(spec, rng)
        identity = query_id(messages)
        if identity not in seen and is_held_out(identity) == (spec.split == "held_out"):
            seen.add(identity)
            return Problem(messages, CATEGORIES[spec.task], solution.reference(), solution)
    raise ValueError(
        f"synthetic task {spec.task!r} has no more than about {index} {spec.split} problems, "
        f"but n is {spec.n}: lower n"
    )


def _draw(spec: Synthetic, rng: random.Random) -> tuple[list[Message], Solution]:
    if spec.task == "arithmetic":
        return arithmetic.problem(rng, rng.choice(spec.steps))
    if spec.task == "multi_turn":
        return arithmetic.conversation(rng)
    return code.problem(rng) if spec.task == "code" else instruction.problem(rng)
