"""Published programs with tests, right as they stand and wrong by a mutation, for `sourcewise audit`.

What is right is shown apart from the verifier: a program and its set's own tests run as one script, in the
sandbox because a folder of programs is anybody's. The verifier's way of reading tests and comparing values
has no part in it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from sourcewise.commands.mutants import cpp_mutants, mutants
from sourcewise.corpus.reading import rows
from sourcewise.corpus.references import FORMATS
from sourcewise.grading import sandbox
from sourcewise.grading.killable import default_workers

LIMITS = sandbox.Limits(5, 512)
PASSED, FAILED = "every test passed", "AssertionError"
COMPILE_SECONDS = 30
TRIED = 12  # mutants of one program
# What LeetCode's editor has imported.
MODULES = ("typing", "collections", "functools", "itertools", "heapq", "bisect", "math", "string")
LEETCODE = "".join(f"from {module} import *\nimport {module}\n" for module in MODULES)
CPP = "#include <bits/stdc++.h>\n"


class Program(NamedTuple):
    """A program, the reference that it is judged against, and the tests that show by themselves what it is.

    `head` comes before what mutants change. `label` is None where that is not known, for a reason.
    """

    name: str
    question: str
    code: str
    reference: dict[str, Any]
    tests: str
    head: str = ""
    language: str = "python"
    label: bool | None = None
    reason: str = ""

    @property
    def whole(self) -> str:
        """The program as an answer gives it."""
        return self.head + self.code


def mbpp(path: Path) -> Iterator[Program]:
    """MBPP: asserts, some after a setup."""
    for _, line in rows(path):
        code = line["code"].replace("\r\n", "\n")
        tests = "\n".join([line["test_setup_code"].replace("\r\n", "\n"), *line["test_list"]])
        yield _program(f"MBPP/{line['task_id']}", line["text"], code, tests, "mbpp", line)


def humaneval(path: Path) -> Iterator[Program]:
    """HumanEval: a `check` function."""
    for _, line in rows(path):
        tests = f"{line['test']}\ncheck({line['entry_point']})"
        code = line["prompt"] + line["canonical_solution"]
        yield _program(line["task_id"], line["prompt"], code, tests, "humaneval", line)


def evalplus(path: Path) -> Iterator[Program]:
    """HumanEval+ and MBPP+: inputs for a solution, and the asserts of the set that they add to."""
    for _, line in rows(path):
        tests = line.get("assertion") or f"{line['test']}\ncheck({line['entry_point']})"
        code = line["prompt"] + line["canonical_solution"]
        yield _program(f"{line['task_id']}+", line["prompt"], code, tests, "evalplus", line)


def leetcode(path: Path) -> Iterator[Program]:
    """LeetCode problems with a solution: a `check` function over a method."""
    for number, line in rows(path):
        tests = line["tests"]["functional"]
        name, code = f"leetcode/{number}", line["solutions"]
        yield _program(name, line["problem"], code, tests, "tests", {"functional": tests})


def humaneval_cpp(path: Path) -> Iterator[Program]:
    """HumanEval-X in C++: a main function with asserts."""
    for _, line in rows(path):
        yield _program(
            line["task_id"],
            line["prompt"],
            line["canonical_solution"],
            line["test"],
            "humaneval_cpp",
            line,
        )._replace(head=line["prompt"], language="cpp")


def labelled(programs: Iterable[Program]) -> Iterator[Program]:
    """Each program as its tests label it, then a mutant that fails them; in order.

    Without a mutant that fails there is only the program.
    """
    with ThreadPoolExecutor(default_workers()) as threads:
        yield from itertools.chain.from_iterable(threads.map(_labelled, programs))


def _labelled(program: Program) -> list[Program]:
    if program.reason:
        return [program]
    if tried(program.whole, program) != PASSED:
        return [program._replace(reason="fails its own tests")]
    right = program._replace(label=True)
    for code in itertools.islice(wrong(program), TRIED):
        # One that crashes or hangs would be easy to refuse.
        if tried(program.head + code, program) == FAILED:
            return [right, program._replace(code=code, label=False)]
    return [right, program._replace(reason=f"no mutant of {TRIED} fails its tests")]


def wrong(program: Program) -> Iterator[str]:
    """Programs with one change in the code; those that change no result are among them."""
    if program.language == "cpp":
        return cpp_mutants(program.code)
    return mutants(program.code, str(program.reference["fn_name"]).rpartition(".")[2])


def _program(name: str, question: str, code: str, tests: str, form: str, published: Any) -> Program:
    try:
        return Program(name, question, code, FORMATS[form](published), tests)
    except ValueError as error:
        return Program(name, question, code, {}, tests, reason=str(error))


def tried(code: str, program: Program) -> str:
    """PASSED, FAILED where an assert did, or the last line that says what else was wrong."""
    if program.language == "cpp":
        try:
            binary = sandbox.build(f"{CPP}{code}\n{program.tests}", seconds=COMPILE_SECONDS)
        except sandbox.CompileError as error:
            return str(error)
        result = sandbox.run_binary(binary, b"", limits=LIMITS)
        if result.ended == "exit" and result.code == 0:
            return PASSED
        return FAILED if "Assertion" in result.errors else result.ended
    names = LEETCODE if "class Solution" in code else ""
    script = f"{names}{code}\n{program.tests}\nprint({PASSED!r})"
    result = sandbox.run_script(script, "", limits=LIMITS)
    if result.output.decode("utf-8", "replace").endswith(f"{PASSED}\n"):
        return PASSED
    return (result.errors.strip().splitlines() or [result.ended])[-1].partition(":")[0]
