"""One-function Python tasks with asserts: what a function returns is said in words."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from sourcewise.tables import Message

NAMES = ("solve", "apply", "change", "compute", "convert", "build", "move", "pick", "make", "find")
ARGUMENTS = {
    "number": ("x", "n", "number"),
    "text": ("s", "text", "word"),
    "list": ("v", "items", "values"),
}
SAMPLES: dict[str, tuple[object, ...]] = {
    "number": (0, 1, 4, 7, 10, 25, -3),
    "text": ("a", "cat", "Data", "abba", "x y"),
    "list": ([4, 1, 3, 2], [9, 8, 7, 7], [0, -5, 5, 2], [1, 2, 3, 4]),
}
N_ASSERTS = 3


@dataclass(frozen=True)
class Family:
    """Tasks of one kind: words and expression may hold the argument {x} and the constants {k} and {j}."""

    takes: str
    words: str
    expression: str
    compute: Callable[..., object]


FAMILIES = (
    Family("number", "{x} plus {k}", "{x} + {k}", lambda x, k, j: x + k),
    Family("number", "{x} minus {k}", "{x} - {k}", lambda x, k, j: x - k),
    Family("number", "{x} times {k}", "{x} * {k}", lambda x, k, j: x * k),
    Family("number", "{x} times {k} plus {j}", "{x} * {k} + {j}", lambda x, k, j: x * k + j),
    Family("number", "{x} times {k} minus {j}", "{x} * {k} - {j}", lambda x, k, j: x * k - j),
    Family("number", "the larger of {x} and {k}", "max({x}, {k})", lambda x, k, j: max(x, k)),
    Family("number", "the smaller of {x} and {k}", "min({x}, {k})", lambda x, k, j: min(x, k)),
    Family("number", "whether {x} is above {k}", "{x} > {k}", lambda x, k, j: x > k),
    Family("number", "the rest of {x} divided by {k}", "{x} % {k}", lambda x, k, j: x % k),
    Family("text", "{x} repeated {k} times", "{x} * {k}", lambda x, k, j: x * k),
    Family("text", "{x} in reverse order", "{x}[::-1]", lambda x, k, j: x[::-1]),
    Family("text", "{x} in upper case", "{x}.upper()", lambda x, k, j: x.upper()),
    Family("text", "the length of {x} plus {k}", "len({x}) + {k}", lambda x, k, j: len(x) + k),
    Family("list", "the sum of {x} plus {k}", "sum({x}) + {k}", lambda x, k, j: sum(x) + k),
    Family("list", "the largest of {x} times {k}", "max({x}) * {k}", lambda x, k, j: max(x) * k),
    Family("list", "{x} in sorted order", "sorted({x})", lambda x, k, j: sorted(x)),
)

REQUESTS = (
    "Write a Python function {name}({x}) that returns {words}.",
    "Write a function {name}({x}) in Python. It returns {words}.",
    "In Python, define {name}({x}) to return {words}.",
)


@dataclass(frozen=True)
class Function:
    """The solution of a task and the asserts that judge it; `slip` is an expression that looks right."""

    name: str
    argument: str
    words: str
    expression: str
    slip: str
    asserts: tuple[str, ...]

    def source(self, expression: str) -> str:
        """The function as Python source that returns `expression`."""
        return f"def {self.name}({self.argument}):\n    return {expression}"

    def reference(self) -> str:
        """What the code verifier reads."""
        tests = {"call_type": "assert", "fn_name": self.name, "assert_case": list(self.asserts)}
        return json.dumps(tests)


def problem(rng: random.Random) -> tuple[list[Message], Function]:
    """A task: a family, its constants, a name for the function and one for its argument."""
    family = rng.choice(FAMILIES)
    name, argument = rng.choice(NAMES), rng.choice(ARGUMENTS[family.takes])
    k, j = rng.randint(2, 9), rng.randint(2, 9)
    words = family.words.format(x=argument, k=k, j=j)
    inputs = rng.sample(SAMPLES[family.takes], N_ASSERTS)
    asserts = tuple(f"assert {name}({x!r}) == {family.compute(x, k, j)!r}" for x in inputs)
    function = Function(
        name=name,
        argument=argument,
        words=words,
        expression=family.expression.format(x=argument, k=k, j=j),
        slip=family.expression.format(x=argument, k=k + 1, j=j + 1)
        if "{k}" in family.expression
        else argument,
        asserts=asserts,
    )
    request = rng.choice(REQUESTS).format(name=name, x=argument, words=words)
    return [Message("user", request)], function
