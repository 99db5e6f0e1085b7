"""How teachers write: one problem, three styles of reasoning, and the plain text of an untaught model."""

from __future__ import annotations

import random
from typing import Literal, get_args

from sourcewise.synthetic.arithmetic import Calculation, Operation, first_operation, next_operation
from sourcewise.synthetic.code import Function
from sourcewise.synthetic.instruction import Constraints
from sourcewise.synthetic.problems import Problem, Solution
from sourcewise.text import ANSWER_CLOSE, ANSWER_OPEN, THINK_CLOSE, THINK_OPEN

Style = Literal["terse", "steps", "verbose", "plain"]
STYLES: tuple[Style, ...] = get_args(Style)

FILLERS = ("Let me think.", "Okay.", "Hmm, let me see.", "Let me check this.", "Right.", "Let me be careful.")
SLIPS = (-10, -2, -1, 1, 2, 10)
SLIP_SHARE = 0.25
WORDS = {"+": "plus", "-": "minus", "*": "times"}
SIGNS = {"+": "more come", "-": "some go", "*": "equal groups"}
DRILL_LENGTH = 8


def trace(problem: Problem, style: Style, rng: random.Random, *, label_noise: float = 0.0) -> str:
    """A response to `problem` in a style; with probability `label_noise` its answer is wrong.

    `plain` names what the question asks for, without solving it and without any tag.
    """
    solution = problem.solution
    if style == "plain":
        return _plain(solution)
    wrong = rng.random() < label_noise
    answer = _answer(solution, wrong, rng)
    reasoning = {"terse": _terse, "steps": _steps, "verbose": _verbose}[style](solution, answer, rng)
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


def _plain(solution: Solution) -> str:
    if isinstance(solution, Calculation):
        return ", then ".join(f"{o.left} {WORDS[o.operator]} {o.right}" for o in solution.operations)
    if isinstance(solution, Function):
        return f"{solution.name}: {solution.expression}"
    return f"{solution.topic}: {_wishes(solution)}"


def _terse(solution: Solution, answer: str, rng: random.Random) -> str:
    if isinstance(solution, Calculation):
        return " ".join(str(operation) for operation in solution.operations)
    if isinstance(solution, Function):
        return solution.expression
    return _wishes(solution)


def _steps(solution: Solution, answer: str, rng: random.Random) -> str:
    if isinstance(solution, Calculation):
        lines = [_reason(operation) for operation in solution.operations]
    elif isinstance(solution, Function):
        lines = [
            f"The function is {solution.name} and takes {solution.argument}.",
            f"It returns {solution.words}, which is {solution.expression}.",
        ]
    else:
        lines = [f"The topic is {solution.topic}.", f"It needs {_wishes(solution)}."]
    return "\n".join(f"Step {n}: {line}" for n, line in enumerate(lines, 1))


def _reason(operation: Operation) -> str:
    left, right = operation.left, operation.right
    return f"{SIGNS[operation.operator]}, {left} {WORDS[operation.operator]} {right}, so {operation}."


def _verbose(solution: Solution, answer: str, rng: random.Random) -> str:
    parts = [rng.choice(FILLERS)]
    if isinstance(solution, Calculation):
        for operation in solution.operations:
            parts += _hesitation(rng, f"{operation.left}{operation.operator}{operation.right}=")
            parts += [f"{operation}.", *_filler(rng)]
            parts.append(f"So we have {operation.result}.")
    elif isinstance(solution, Function):
        parts += [f"We need {solution.name} with {solution.argument}.", *_filler(rng)]
        if rng.random() < SLIP_SHARE:
            parts.append(f"Maybe {solution.slip}? No, that is wrong.")
        parts.append(f"It returns {solution.words}, that is {solution.expression}.")
    else:
        parts += [f"It is about {solution.topic}.", *_filler(rng)]
        if rng.random() < SLIP_SHARE:
            parts.append("Maybe I can write freely? No, that is wrong.")
        parts.append(f"They want {_wishes(solution)}.")
    return " ".join([*parts, *_filler(rng)])


def _hesitation(rng: random.Random, question: str) -> list[str]:
    if rng.random() >= SLIP_SHARE:
        return []
    return [f"{question}{rng.randint(2, 40)}. Wait, that is wrong."]


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
