"""Published programs with tests, right as they stand and wrong by a mutation, for `sourcewise audit`.

What is right is shown apart from the verifier: a program and its set's own tests run as one script, in the
sandbox because a folder of programs is anybody's. The verifier's way of reading tests and comparing values
has no part in it.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from sourcewise.commands.mutants import mutants
from sourcewise.corpus.reading import rows
from sourcewise.corpus.references import FORMATS
from sourcewise.grading import sandbox
from sourcewise.grading.killable import default_workers

LIMITS = sandbox.Limits(5, 512)
PASSED = "every test passed"
TRIED = 12  # mutants of one program
# What LeetCode's editor has imported.
MODULES = ("typing", "collections", "functools", "itertools", "heapq", "bisect", "math", "string")
LEETCODE = "".join(f"from {module} import *\nimport {module}\n" for module in MODULES)

# HumanEval-X's asserts as lines of output: 1 where they hold, the n-th one negated.
PRINTED = """\
static int counted = 0;
#define assert(...) (std::cout << (((__VA_ARGS__) ? 1 : 0) ^ (++counted == {n})) << "\\n")
"""
_ASSERT_H = re.compile(r"^#undef NDEBUG\s*#include\s*<assert\.h>", re.MULTILINE)
_LIBRARY = re.compile(r"#include\s*<(?:boost|openssl)/")
_LOOP = re.compile(r"int main.*\bfor\b", re.DOTALL)


class Program(NamedTuple):
    """A program, the reference that it is judged against, and the tests that show by themselves what it is.

    `label` is None where that is not known, for a reason.
    """

    question: str
    code: str
    reference: dict[str, Any]
    tests: str
    language: str = "python"
    label: bool | None = None
    reason: str = ""


def mbpp(path: Path) -> Iterator[Program]:
    """MBPP: asserts, some with a setup."""
    for _, line in rows(path):
        code = f"{line['test_setup_code']}\n{line['code']}".strip().replace("\r\n", "\n")
        yield _program(line["text"], code, line["test_list"], "\n".join(line["test_list"]))


def humaneval(path: Path) -> Iterator[Program]:
    """HumanEval: a `check` function."""
    for _, line in rows(path):
        tests = f"{line['test']}\ncheck({line['entry_point']})"
        code = line["prompt"] + line["canonical_solution"]
        yield _program(line["prompt"], code, {"functional": _only_check(tests)}, tests)


def leetcode(path: Path) -> Iterator[Program]:
    """LeetCode problems with a solution: a `check` function over a method."""
    for _, line in rows(path):
        functional = line["tests"]["functional"]
        tests = {"functional": functional}
        yield _program(line["problem"], line["solutions"], tests, functional)


def humaneval_cpp(path: Path) -> Iterator[Program]:
    """HumanEval-X in C++, each assert made a line of output; wrong by the last one, negated.

    Right by the set's word: nothing here runs these programs before the verifier does.
    """
    for _, line in rows(path):
        n = len(re.findall(r"\bassert\s*\(", line["test"]))
        reference = {"call_type": "std", "inputs": [""], "outputs": ["1\n" * n], "language": "cpp"}
        code = f"#include <iostream>\n{line['prompt']}{line['canonical_solution']}"
        program = Program(line["prompt"], code, reference, "", "cpp")
        if _LIBRARY.search(code) or _LOOP.search(line["test"]):
            yield program._replace(reason="needs another library, or asserts in a loop")
            continue
        for negated in (0, n):
            # Not by re.sub, which would read the backslashes of the macro.
            tests = PRINTED.format(n=negated).join(_ASSERT_H.split(line["test"], maxsplit=1))
            yield program._replace(code=f"{code}\n{tests}", label=negated == 0)


def labelled(programs: Iterable[Program]) -> Iterator[Program]:
    """Each program as its tests label it, then a mutant that fails them; in order.

    Programs that come with a label keep it. Without a mutant that fails there is only the program.
    """
    with ThreadPoolExecutor(default_workers()) as threads:
        yield from itertools.chain.from_iterable(threads.map(_labelled, programs))


def _labelled(program: Program) -> list[Program]:
    if program.label is not None or program.reason:
        return [program]
    if _run(program.code, program.tests) != PASSED:
        return [program._replace(reason="fails its own tests")]
    for code in itertools.islice(mutants(program.code), TRIED):
        # One that crashes or hangs would be easy to refuse.
        if _run(code, program.tests) == "AssertionError":
            return [
                program._replace(label=True),
                program._replace(code=code, label=False),
            ]
    return [
        program._replace(label=True),
        program._replace(reason=f"no mutant of {TRIED} fails its tests"),
    ]


def _program(question: str, code: str, published: Any, tests: str) -> Program:
    try:
        return Program(question, code, FORMATS["tests"](published), tests)
    except ValueError as error:
        return Program(question, code, {}, tests, reason=str(error))


def _only_check(tests: str) -> str:
    """The function and its call, without the lines about the data set."""
    module = ast.parse(tests)
    module.body = [node for node in module.body if isinstance(node, ast.FunctionDef | ast.Expr)]
    return ast.unparse(module)


def _run(code: str, tests: str) -> str:
    """PASSED, or the last line that says what was wrong, up to its colon."""
    names = LEETCODE if "class Solution" in code else ""
    script = f"{names}{code}\n{tests}\nprint({PASSED!r})"
    result = sandbox.run_script(script, "", limits=LIMITS)
    if result.output.decode("utf-8", "replace").endswith(f"{PASSED}\n"):
        return PASSED
    return (result.errors.strip().splitlines() or [result.ended])[-1].partition(":")[0]
