"""Arithmetic word problems of one or two steps, and the same as a conversation of two turns."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from sourcewise.tables import Message

NAMES = ("Tom", "Ana", "Ben", "Mia", "Sam", "Eva", "Leo", "Zoe", "Max", "Ida", "Kim", "Roy")
THINGS = ("apples", "pens", "coins", "books", "cards", "eggs", "stamps", "cups", "shells", "keys")
HOLDERS = ("box", "bag", "shelf", "jar")

# Small enough for a model of 0.3 M weights to learn the tables in about a minute on one core.
MAX_FIRST, MAX_SECOND, MAX_FACTOR = 20, 9, 5


@dataclass(frozen=True)
class Operation:
    """One step, `left operator right = result`; the operator is `+`, `-` or `*`."""

    left: int
    operator: str
    right: int

    @property
    def result(self) -> int:
        """What the step comes to."""
        if self.operator == "+":
            return self.left + self.right
        return self.left - self.right if self.operator == "-" else self.left * self.right

    def __str__(self) -> str:
        return f"{self.left}{self.operator}{self.right}={self.result}"


@dataclass(frozen=True)
class Calculation:
    """The steps that solve a problem, in order."""

    operations: tuple[Operation, ...]

    @property
    def answer(self) -> int:
        """The result of the last step."""
        return self.operations[-1].result

    def reference(self) -> str:
        """What the math verifier reads."""
        return json.dumps({"answer": str(self.answer)})


def first_operation(rng: random.Random) -> Operation:
    """A random step whose numbers stay in the tables that the models learn."""
    operator = rng.choice("+-*")
    if operator == "*":
        return Operation(rng.randint(2, MAX_SECOND), "*", rng.randint(2, MAX_FACTOR))
    right = rng.randint(2, MAX_SECOND)
    lowest = 2 if operator == "+" else right + 1
    return Operation(rng.randint(lowest, MAX_FIRST), operator, right)


def next_operation(rng: random.Random, left: int) -> Operation:
    """A random step that goes on from `left`: a small number comes or goes."""
    if left > 2 and rng.random() < 0.5:
        return Operation(left, "-", rng.randint(2, min(MAX_SECOND, left - 1)))
    return Operation(left, "+", rng.randint(2, MAX_SECOND))


def problem(rng: random.Random, steps: int) -> tuple[list[Message], Calculation]:
    """A word problem of one or two steps, asked in one turn."""
    if steps not in (1, 2):
        raise ValueError(f"arithmetic problems have 1 or 2 steps, not {steps}")
    scene = _Scene(rng)
    operations = [first_operation(rng)]
    story, question = scene.opening(operations[0])
    if steps == 2:
        operations.append(next_operation(rng, operations[0].result))
        story = f"{story} {scene.sequel(operations[1])}"
        question = scene.rest()
    return [Message("user", f"{story} {question}")], Calculation(tuple(operations))


def conversation(rng: random.Random) -> tuple[list[Message], Calculation]:
    """A problem of one step, its answer, and a question that goes on from this answer."""
    scene = _Scene(rng)
    first = first_operation(rng)
    second = next_operation(rng, first.result)
    story, question = scene.opening(first)
    messages = [
        Message("user", f"{story} {question}"),
        Message("assistant", f"{first.result} {scene.thing}."),
        Message("user", f"{scene.sequel(second)} {scene.rest()}"),
    ]
    return messages, Calculation((second,))


class _Scene:
    """Who has what: the same words through all sentences of one problem."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.name, self.other = rng.sample(NAMES, 2)
        self.thing = rng.choice(THINGS)
        self._holder = rng.choice(HOLDERS)

    def opening(self, step: Operation) -> tuple[str, str]:
        """The story of a first step and its question."""
        name, other, thing, a, b = self.name, self.other, self.thing, step.left, step.right
        ways = {
            "+": (
                (f"{name} has {a} {thing} and gets {b} more.", self.rest()),
                (f"{name} has {a} {thing} and {other} has {b}.", f"How many {thing} in total?"),
                (f"{a} {thing} are in a {self._holder}. {name} adds {b}.", self.rest()),
            ),
            "-": (
                (f"{name} has {a} {thing} and gives {b} to {other}.", self.rest()),
                (f"{name} has {a} {thing} and loses {b}.", self.rest()),
                (f"{a} {thing} are in a {self._holder}. {name} takes {b}.", self.rest()),
            ),
            "*": (
                (f"A {self._holder} holds {a} {thing}. {name} buys {b}.", self.rest()),
                (f"{name} makes {a} rows of {b} {thing}.", f"How many {thing} in total?"),
                (f"{name} finds {a} {thing} on each of {b} days.", self.rest()),
            ),
        }
        return self._rng.choice(ways[step.operator])

    def sequel(self, step: Operation) -> str:
        """The sentence of a further step."""
        name, other, c = self.name, self.other, step.right
        ways = {
            "+": (f"Then {name} gets {c} more.", f"Then {other} adds {c}."),
            "-": (f"Then {name} gives {c} to {other}.", f"Then {name} loses {c}."),
        }
        return self._rng.choice(ways[step.operator])

    def rest(self) -> str:
        """The question for what there is in the end."""
        return f"How many {self.thing} now?"
