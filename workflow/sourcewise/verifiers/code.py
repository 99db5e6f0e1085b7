"""Verifier of programs: the first tests of the reference, run in the sandbox; the score is the pass rate.

References are described in `gradable.code`; the paper's (§4) are `{"call_type": "assert",
"fn_name": "f", "assert_case": ["assert f(1) == 2", …]}` and `{"call_type": "std", "inputs": ["1\\n", …],
"outputs": ["2\\n", …], "language": "python"}`, or "cpp". What is expected never enters the sandbox of the
program. A run that was ended before any test passed has the status of what ended it (timeout, memory,
crash); a wrong value, an exception or an error of the compiler is a failed test.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from sourcewise.gradable.code import checks, read, runner_problem
from sourcewise.gradable.unusable import UnusableReferenceError
from sourcewise.grading import sandbox
from sourcewise.grading.attempts import Attempt, Judged, Outcome, cut_short, failed, verdict
from sourcewise.grading.killable import default_workers
from sourcewise.grading.programs.answer import extract
from sourcewise.grading.programs.compiled import compiled_replay, compiled_scripts, record
from sourcewise.grading.programs.replay import record as record_python
from sourcewise.grading.programs.replay import replayed
from sourcewise.grading.programs.testing import assertions, expected, scripts, solved
from sourcewise.params.distill import CodeVerifier
from sourcewise.text import final_answer

VERSION = "2"
AHEAD = 64

Given = TypeVar("Given")
Found = TypeVar("Found")


def score(attempts: Iterable[Attempt], *, knobs: CodeVerifier) -> Iterator[Judged]:
    """One verdict per attempt, in order; raises SandboxUnavailableError where there is no sandbox."""
    for attempt, outcome in _side_by_side(attempts, partial(_timed, knobs=knobs)):
        yield verdict(attempt, outcome, verifier="code", version=VERSION)


def problems(references: Iterable[str], *, knobs: CodeVerifier) -> Iterator[str | None]:
    """Why no program could ever be judged by a reference, None where one can; in order.

    A solution or a test that the reference brings with it is run, in the sandbox.
    """
    for _, problem in _side_by_side(references, partial(_problem, knobs=knobs)):
        yield problem


def _side_by_side(
    given: Iterable[Given], function: Callable[[Given], Found]
) -> Iterator[tuple[Given, Found]]:
    """Each with what the function finds, in order, a bounded number ahead."""
    sandbox.probe()
    stream = iter(given)
    with ThreadPoolExecutor(default_workers()) as threads:
        while batch := list(itertools.islice(stream, AHEAD)):
            yield from zip(batch, threads.map(function, batch), strict=True)


def _problem(text: str, *, knobs: CodeVerifier) -> str | None:
    limits = sandbox.Limits(knobs.seconds, knobs.memory_mb)
    try:
        reference = read(text)
        if problem := runner_problem(reference):
            return problem
        match reference.call_type, reference.language:
            case "assert", _:
                checks(reference, knobs.max_tests)
            case "solve", _:
                expected(reference.solution, tuple(reference.calls[: knobs.max_tests]), limits)
            case "replay", "cpp":
                record(reference.prelude, reference.test, knobs.compile_seconds, limits)
            case "replay", _:
                record_python(reference, limits)
    except UnusableReferenceError as error:
        return str(error)
    except sandbox.CompileError as error:
        return str(error)
    return None


def _timed(attempt: Attempt, *, knobs: CodeVerifier) -> Outcome:
    begin = time.monotonic()
    try:
        outcome = _judge(attempt, knobs)
    except UnusableReferenceError as error:
        outcome = failed("bad_reference", " ".join(str(error).split()))
    except sandbox.CompileError as error:
        outcome = failed("unavailable", str(error))
    return outcome._replace(seconds=time.monotonic() - begin)


def _judge(attempt: Attempt, knobs: CodeVerifier) -> Outcome:
    reference = read(attempt.reference)
    if problem := runner_problem(reference):
        return failed("unavailable", problem)
    # A reference by which nothing can be judged is no fault of the answer, not even of a missing one.
    split = checks(reference, knobs.max_tests) if reference.call_type == "assert" else []
    if short := cut_short(attempt):
        return short
    program = extract(final_answer(attempt.text) or "", reference.language, reference.name)
    if program is None:
        return failed(
            "no_answer",
            f"no program: neither a fenced block of {reference.language} nor an answer that is one",
        )
    limits = sandbox.Limits(knobs.seconds, knobs.memory_mb)
    tests = list(zip(reference.inputs, reference.outputs, strict=True))[: knobs.max_tests]
    match reference.call_type, reference.language:
        case "assert", _:
            return assertions(program, split, reference, limits)
        case "std", "cpp":
            return compiled_scripts(program, tests, knobs.compile_seconds, limits)
        case "std", _:
            return scripts(partial(_script, program), tests, limits)
        case "solve", _:
            return solved(program, reference.calls[: knobs.max_tests], reference, limits)
        case "replay", "cpp":
            n, seconds = knobs.max_tests, knobs.compile_seconds
            return compiled_replay(program, reference, n, seconds, limits)
    return replayed(program, reference, knobs.max_tests, limits)


def _script(program: str, stdin: str, limits: sandbox.Limits) -> sandbox.Result:
    return sandbox.run_script(program, stdin, limits=limits)
