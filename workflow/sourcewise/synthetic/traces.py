"""How teachers write: one problem, three styles of reasoning, and the plain text of an untaught model."""

from __future__ import annotations

import random
from typing import Literal, get_args

from sourcewise.synthetic.arithmetic import Calculation, Operation, first_operation, next_operation
from sourcewise.synthetic.code import Function
from sourcewise.synthetic.instruction import Constraints
from sourcewise.synthetic.problems import Problem, Solution
from sourcewise.text import ANSWER_CLOSE, ANSWER_OPEN, THINK_CLOSE, THINK_OPEN

Reasoned = Literal["terse", "steps", "verbose"]
Style = Literal["terse", "steps", "verbose", "mixed", "plain"]
REASONED: tuple[Reasoned, ...] = get_args(Reasoned)
STYLES: tuple[Style, ...] = (*REASONED, "plain")

FILLERS = (
    "Let me think.",
    "Okay.",
    "Hmm, let me see.",
    "Let me check this.",
    "Right.",
    "Let me be careful.",
)
# A habit for the n-gram filter to find: the same long sentence, word for word.
STOCK_PHRASE = (
    "Let me be careful and think about this. Let me see what they want and check that this is right, "
    "so that the answer is not wrong."
)
STOCK_SHARE = 0.06
SLIPS = (-10, -2, -1, 1, 2, 10)
SLIP_SHARE = 0.25
WORDS = {"+": "plus", "-": "minus", "*": "times"}
DRILL_LENGTH = 8


def trace(problem: Problem, style: Style, rng: random.Random, *, label_noise: float = 0.0) -> str:
    """A response to `problem` in a style; with probability `label_noise` its answer is wrong.

    `mixed` is one of the other styles, drawn for each problem. `plain` names what the question asks
    for, without solving it and without any tag.
    """
    solution = problem.solution
    if style == "mixed":
        style = rng.choice(REASONED)
    if style == "plain":
        return _plain(solution, rng)
    wrong = rng.random() < label_noise
    answer = _answer(solution, wrong, rng)
    reasoning = {"terse": _terse, "steps": _steps, "verbose": _verbose}[style](
        solution, answer, rng
    )
    return f"{THINK_OPEN}{reasoning}{THINK_CLOSE}{ANSWER_OPEN}{answer}{ANSWER_CLOSE}"


def drill(rng: random.Random) -> str:
    """A line of equations from the tables, the plain text in which models meet numbers first."""
    equations = []
    for _ in range(DRILL_LENGTH):
        first = first_operation(rng)
        equations.append(rng.choice((first, next_operation(rng, first.result))))
    return " ".join(str(equation) for equation in equations)


def _answer(solution: Solution, wrong: bool, rng: random.Random) -> str:
    if isinstance(solution, Calculation):
        return str(max(0, solution.answer + rng.choice(SLIPS)) if wrong else solution.answer)
    if isinstance(solution, Function):
        source = solution.source(solution.slip if wrong else solution.expression)
        return f"```python\n{source}\n```"
    kept = solution.constraints[:-1] if wrong else solution.constraints
    return solution.answer(kept)


def _plain(solution: Solution, rng: random.Random) -> str:
    # Names in changing places: what is copied to one place only cannot be copied to another later.
    if isinstance(solution, Calculation):
        return ", then ".join(
            f"{o.left} {WORDS[o.operator]} {o.right}" for o in solution.operations
        )
    if isinstance(solution, Function):
        name, argument, expression = solution.name, solution.argument, solution.expression
        ways = (
            f"{name}({argument}) is {expression}",
            f"{expression} for {name}",
            f"A function {name} that takes {argument}",
            f"With {argument}, {name} has {expression}",
        )
    else:
        topic, wishes = solution.topic, _wishes(solution)
        ways = (
            f"{topic.capitalize()} and {wishes}",
            f"{wishes} for {topic}",
            f"A sentence about {topic} with {wishes}",
            f"{topic.capitalize()}: {topic} are {solution.qualities[0]}",
        )
    return rng.choice(ways)


def _terse(solution: Solution, answer: str, rng: random.Random) -> str:
    if isinstance(solution, Calculation):
        return " ".join(str(operation) for operation in solution.operations)
    if isinstance(solution, Function):
        return solution.expression
    return _wishes(solution)


def _steps(solution: Solution, answer: str, rng: random.Random) -> str:
    if isinstance(solution, Calculation):
        lines = [f"{o.left} {WORDS[o.operator]} {o.right}, so {o}." for o in solution.operations]
    elif isinstance(solution, Function):
        lines = [
            f"{solution.name} takes {solution.argument}.",
            f"{solution.words} is {solution.expression}.",
        ]
    else:
        lines = [f"The topic is {solution.topic}.", f"It needs {_wishes(solution)}."]
    return "\n".join(f"Step {n}: {line}" for n, line in enumerate(lines, 1))


def _verbose(solution: Solution, answer: str, rng: random.Random) -> str:
    parts = [STOCK_PHRASE if rng.random() < STOCK_SHARE else rng.choice(FILLERS)]
    if isinstance(solution, Calculation):
        for operation in solution.operations:
            parts += _calculation_aloud(operation, rng)
        parts.append(f"So the answer is {answer}.")
    elif isinstance(solution, Function):
        parts += [f"We need a function {solution.name} with {solution.argument}.", *_filler(rng)]
        parts += _hesitation(rng, solution.slip)
        parts += [f"It returns {solution.words}.", f"That is {solution.expression}.", *_filler(rng)]
        parts.append(f"So we have {solution.expression}.")
    else:
        parts += [f"It is about {solution.topic}.", *_filler(rng)]
        parts += _hesitation(rng, "it is free")
        parts += [f"They want {_wishes(solution)}.", *_filler(rng)]
        parts.append(f"So {solution.topic} with {_wishes(solution)}.")
    return " ".join([*parts, *_filler(rng)])


def _calculation_aloud(operation: Operation, rng: random.Random) -> list[str]:
    slip = f"{operation.left}{operation.operator}{operation.right}={rng.randint(2, 40)}"
    return [
        f"We have {operation.left} {WORDS[operation.operator]} {operation.right}.",
        *_hesitation(rng, slip),
        f"{operation}.",
        *_filler(rng),
        f"Again, {operation}.",
    ]


def _hesitation(rng: random.Random, slip: str) -> list[str]:
    """Now and then a mistake that is noticed."""
    return [f"Maybe {slip}? No, that is wrong."] if rng.random() < SLIP_SHARE else []


def _filler(rng: random.Random) -> list[str]:
    return [rng.choice(FILLERS)] if rng.random() < 0.5 else []


def _wishes(solution: Constraints) -> str:
    """The constraints in key words."""
    said = {
        "no_comma": "no commas",
        "existence": " ".join(solution.keywords),
        "forbidden_words": f"not {solution.forbidden}",
        "end_checker": solution.ending,
        "quotation": "quotation marks",
        "number_bullet_lists": f"{solution.n_bullets} bullet points",
        "postscript": "P.S.",
        "title": "a title",
    }
    return " and ".join(said[name] for name in solution.constraints)
