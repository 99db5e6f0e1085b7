"""Programs are judged by their first tests, and what is expected stays outside of the sandbox."""

import json
import tempfile
import time
from pathlib import Path

import pytest
from rows import attempt

from sourcewise.grading import asserts, sandbox
from sourcewise.grading.programs.answer import extract
from sourcewise.grading.sandbox import command
from sourcewise.params.distill import CodeVerifier
from sourcewise.tables import Verdict
from sourcewise.verifiers import code

KNOBS = CodeVerifier(max_tests=3, seconds=1, memory_mb=512, compile_seconds=30)
DOUBLE = {
    "call_type": "assert",
    "fn_name": "f",
    "assert_case": ["assert f(1) == 2", "assert f(4) == 8"],
}
SUM = {
    "call_type": "std",
    "inputs": ["1 2\n", "5 5\n"],
    "outputs": ["3\n", "10"],
    "language": "python",
}


def _verdict(reference: object, program: str) -> Verdict:
    text = f"<think>…</think><answer>```python\n{program}\n```</answer>"
    [verdict] = code.score([attempt("code", reference, text)], knobs=KNOBS)
    return verdict


def _asserting(*cases: str) -> dict:
    return {"call_type": "assert", "fn_name": "f", "assert_case": list(cases)}


def test_a_right_function_and_a_right_script_pass() -> None:
    assert _verdict(DOUBLE, "def f(x):\n    return 2 * x").score == 1.0
    assert _verdict(SUM, "print(sum(map(int, input().split())))\nexit()").score == 1.0


def test_the_score_is_the_pass_rate_and_the_detail_names_a_failure() -> None:
    verdict = _verdict(DOUBLE, "def f(x):\n    return 2")
    assert verdict.score == 0.5
    assert verdict.detail == "1 of 2 tests passed; f(4) gave 2, wanted value0 == 8"
    verdict = _verdict(SUM, "print(3)")
    assert verdict.detail == r"1 of 2 tests passed; input '5 5\n': expected '10', got '3\n'"


def test_only_the_first_tests_count() -> None:
    many = _asserting(*["assert f(1) == 1"] * 3, "assert f(1) == 2")
    assert _verdict(many, "def f(x): return x").score == 1.0


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("def f(x):\n    while True: pass", "timeout"),
        ("def f(x): return 'a' * 10**10", "scored"),
        ("import os\ndef f(x): os.kill(os.getpid(), 11)", "crash"),
        ("def f(x): return 1 / 0", "scored"),
        ("def f(x):", "scored"),
        ("raise SystemExit", "scored"),
    ],
)
def test_a_program_that_fails_to_answer_never_passes(program: str, status: str) -> None:
    verdict = _verdict(DOUBLE, program)
    assert (verdict.status, verdict.score or 0.0) == (status, 0.0)


def test_tests_before_a_timeout_count() -> None:
    verdict = _verdict(DOUBLE, "def f(x):\n    while x == 4: pass\n    return 2 * x")
    assert (verdict.score, "timeout" in verdict.detail) == (0.5, True)


CASES = [
    ("assert f(2) == 4", 4, True),
    ("assert f(2) == 4", 5, False),
    ("assert f(2) == 0.1", 0.1 + 1e-9, True),
    ("assert f(2) == 0.1", 0.11, False),
    ("assert f(2) == (1, 2)", (1, 2), True),
    ("assert f(2) == (1, 2)", [1, 2], False),
    ("assert set(f(2)) == {1, 2}", [2, 1, 1], True),
    ("assert abs(f(2) - 3) < 0.01", 3.001, True),
    ("assert abs(f(2) - 3) < 0.01", 3.1, False),
    ("assert not f(2)", [], True),
    ("assert f(2) is None", None, True),
    ("assert f(2) is None", False, False),
    ("assert f(2) is True", True, True),
    ("assert f(2) is True", False, False),
    ("assert f(2) is True", 1, False),
    ("assert f(2) is not True", False, True),
    ("assert f(2) is 1000", 1000, True),
    ("assert f(2) is 1", 0, False),
    ("assert f(2) in (1, 2)", 2, True),
    ("assert math.isclose(f(2), 2.5)", 2.5, True),
    ("assert f(2)", 0, False),
    ("assert f(2) < f(3)", 1, False),
    ("assert sorted(f(2)) == [1, 2]", None, False),
    ("assert f(2) * 3 == 6", "2", False),
]


@pytest.mark.parametrize(("case", "value", "passes"), CASES)
def test_conditions_are_evaluated_outside_over_values(
    case: str, value: object, passes: bool
) -> None:
    check = asserts.split(case, "f")
    assert all(call.startswith("f(") for call in check.calls)
    assert check.passes([value] * len(check.calls)) is passes


@pytest.mark.parametrize(
    "case",
    [
        "assert check(f(1), 2)",
        "assert f(1) == g(1)",
        "assert f(1) == sys.maxsize",
        "assert all(f(i) == i for i in [1, 2])",
        "assert 1 == 1",
        "print(f(1))",
        "assert f(1) ==",
    ],
)
def test_a_test_that_would_let_the_program_judge_is_a_bad_reference(case: str) -> None:
    assert _verdict(_asserting(case), "def f(x): return x").status == "bad_reference"


@pytest.mark.parametrize("reference", ["", "{}", '{"call_type": "std", "inputs": ["1"]}', "[1]"])
def test_a_reference_without_tests_is_a_bad_reference(reference: str) -> None:
    assert _verdict(reference, "def f(x): return x").status == "bad_reference"


def test_the_program_is_the_last_block_that_defines_the_function() -> None:
    answer = "```python\ndef f(x): return 1\n```\nRun it:\n```python\nprint(f(1))\n```"
    assert extract(answer, "python", "f") == "def f(x): return 1\n"
    assert extract("def f(x): return 1", "python", "f") == "def f(x): return 1"
    assert extract("I cannot do that.", "python", "f") is None


def test_set_order_is_the_same_in_every_run() -> None:
    program = "def f(x): return list({'a', 'b', 'c', 'd', 'e'})"
    limits = sandbox.Limits(2, 512)
    values = {str(sandbox.evaluate(program, ["f(1)"], limits=limits)[1]) for _ in range(3)}
    assert len(values) == 1


def test_values_come_out_as_they_went_in() -> None:
    program = (
        "def f(): return [None, True, -7, 10**400, 0.1, float('inf'), 'é\\n', b'x', 2j, ({1}, {})]"
    )
    _, [value] = sandbox.evaluate(program, ["f()"], limits=sandbox.Limits(2, 512))
    expected = [None, True, -7, 10**400, 0.1, float("inf"), "é\n", b"x", 2j, ({1}, {})]
    assert value.value == expected
    assert list(map(type, value.value)) == list(map(type, expected))


def test_without_bubblewrap_nothing_is_graded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    command.command.cache_clear()
    try:
        with pytest.raises(sandbox.SandboxUnavailableError, match="apt-get install bubblewrap"):
            _verdict(DOUBLE, "def f(x): return 2 * x")
    finally:
        monkeypatch.undo()
        command.command.cache_clear()


def test_a_sandbox_that_cannot_start_is_no_wrong_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    # Not in tmp_path, which the unprivileged user cannot enter.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        bwrap = Path(folder) / "bwrap"
        bwrap.write_text("#!/bin/sh\necho 'bwrap: Creating new namespace failed' >&2\nexit 1\n")
        bwrap.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        command.command.cache_clear()
        try:
            with pytest.raises(
                sandbox.SandboxUnavailableError, match=r"failed\nIt needs[\s\S]*sysctl"
            ):
                _verdict(DOUBLE, "def f(x): return 2 * x")
        finally:
            command.command.cache_clear()


def test_no_input_is_tried_after_a_program_was_killed() -> None:
    many = {**SUM, "inputs": ["1 2\n", "5 5\n", "2 2\n"], "outputs": ["3\n", "10", "4"]}
    program = "a, b = map(int, input().split())\nwhile a == 5: pass\nprint(a + b)"
    verdict = _verdict(many, program)
    assert verdict.score == pytest.approx(1 / 3)
    assert verdict.detail == (r"1 of 3 tests passed; input '5 5\n': timeout, the other 1 not run")


def test_a_verdict_says_how_long_it_took_and_what_was_counted() -> None:
    answer = "```python\nimport time\ndef f(x):\n    time.sleep(0.3)\n    return 2 * x\n```"
    [judged] = code.score([attempt("code", DOUBLE, answer)], knobs=KNOBS)
    assert judged.seconds > 0.6
    assert json.loads(judged.facts) == {"passed": 2, "tests": 2}


def test_what_the_question_gave_need_not_be_repeated() -> None:
    given = {
        **_asserting("assert f(root) == 3"),
        "prelude": "from typing import List\nLIMIT = 3",
        "setup": "root = Node(1)",
    }
    program = (
        "from __future__ import annotations\nclass Node:\n    def __init__(self, n): self.n = n\n"
        "def f(node: List[int]): return node.n + LIMIT - 1"
    )
    assert _verdict(given, program).score == 1.0


SOLVED = {
    "call_type": "solve",
    "fn_name": "f",
    "calls": ["f(1)", "f(2)", "f(3)", "f(4)"],
    "solution": "def f(x): return [x / 10, str(x)]",
}


def test_a_solution_says_what_is_expected() -> None:
    verdict = _verdict(SOLVED, "def f(x): return [x / 10 + (x == 2) + 1e-9, str(x)]")
    assert verdict.score == pytest.approx(2 / 3)
    assert verdict.detail == "2 of 3 tests passed; f(2) gave [1.200000001, '2'], wanted [0.2, '2']"


def test_long_values_of_a_solution_are_no_tests_and_many_of_them_no_bad_reference() -> None:
    given = {**SOLVED, "calls": ["f(9)", "f(2_000_000)", "f(400_000)"],
             "solution": "def f(x): return 'a' * x"}  # fmt: skip
    verdict = _verdict(given, "def f(x): return 'a' * x if x < 10**6 else None")
    assert (verdict.score, verdict.detail) == (1.0, "2 of 2 tests passed")
    many = {**given, "calls": [f"f({n})" for n in range(700_000, 700_005)]}
    knobs = KNOBS.model_copy(update={"max_tests": 10})
    (found,) = code.score(
        [attempt("code", many, f"```python\n{given['solution']}\n```")], knobs=knobs
    )
    assert (found.score, found.detail) == (1.0, "5 of 5 tests passed")
    alone = {**given, "calls": ["f(2_000_000)"]}
    assert _verdict(alone, "def f(x): return ''").status == "bad_reference"


@pytest.mark.parametrize(
    ("oracle", "solution", "program", "passes"),
    [
        ("equal", "0.0", "1e-9", True),
        ("equal", "0.0", "1e-3", False),
        ("equal", "[1, 2]", "(1, 2)", False),
        ("equal", "[1, 2.0]", "[1, 2.0000001]", True),
        ("equal", "{1: 0.5}", "{1: 0.50000001}", True),
        ("set", "(1, 2, 2)", "[2, 1]", True),
        ("set", "(1, 2)", "[2, 1, 3]", False),
        ("truth", "True", "object()", True),
        ("truth", "False", "None", True),
        ("truth", "None", "0", False),
        ("root", "2.0", "2.00001", True),
        ("root", "2.0", "True", False),
        ("root", "2.0", "float('nan')", False),
    ],
)
def test_an_oracle_says_when_a_value_meets_the_solution(
    oracle: str, solution: str, program: str, passes: bool
) -> None:
    reference = {
        **SOLVED,
        "calls": ["f([-2, 1])"],
        "oracle": oracle,
        "atol": 1e-4 if oracle == "root" else 0,
        "solution": f"def f(x): return {solution}",
    }
    assert (_verdict(reference, f"def f(x): return {program}").score == 1.0) is passes


LOOPED = {
    "call_type": "replay",
    "fn_name": "double",
    "solution": "def double(x): return x * 2",
    "test": (
        "import random\ndef check(candidate):\n    for n in range(5):\n"
        "        x = random.randint(1, 10**9) if n else 7\n"
        "        assert candidate(x) - x == x\n    assert candidate([n]) == [n, n], 'a list'"
    ),
}


def test_a_test_with_a_loop_judges_values_and_never_meets_the_program() -> None:
    knobs = KNOBS.model_copy(update={"max_tests": 10})
    programs = {
        "def double(x): return x + x": 1.0,
        "def double(x): return 14": 1 / 6,
        "def double(x): return [x, x]": 0.0,
        "def double(x):\n    if type(x) is list: raise ValueError\n    return x + x": 5 / 6,
        "class A:\n    def __sub__(self, x): return x\ndef double(x): return A()": 0.0,
        "import os\ndef double(x): os._exit(0)": 0.0,
        "def double(x):\n    v = x\n    for _ in range(450): v = (v,)\n    return v": 0.0,
    }
    rows = [attempt("code", LOOPED, f"```python\n{program}\n```") for program in programs]
    verdicts = list(code.score(rows, knobs=knobs))
    assert [verdict.score for verdict in verdicts] == pytest.approx(list(programs.values()))


GOOD = [DOUBLE, SUM, SOLVED, LOOPED, _asserting("assert f(1) == [0] * 3 + [2 ** 5]")]
BAD = [
    ("", "Invalid JSON"),
    ("[" * 100_000, "JSON"),
    ({**SUM, "outputs": ["3"]}, "2 inputs but 1 outputs"),
    ({**SUM, "language": "cobol"}, "no runner for 'cobol'"),
    ({"call_type": "none"}, "call_type"),
    (_asserting(), "without assert_case"),
    (_asserting("assert f(1) == 1 / 0"), "has no value"),
    (_asserting("assert f(1) == 9 ** 9 ** 9"), "has no value"),
    (_asserting("assert f(1) == 'a' * 10 ** 10"), "has no value"),
    (_asserting("assert sorted(f(1), key=len) == [1]"), "is a function"),
    (_asserting("assert " + "not " * 3000 + "f(1)"), "RecursionError"),
    ({**SOLVED, "solution": "def f(x): return 1 // (x - 2)"}, "f(2): ZeroDivisionError"),
    ({**SOLVED, "solution": "while True: pass"}, "timeout"),
    ({**LOOPED, "solution": "def double(x): return 0"}, "fails its own test"),
    ({**LOOPED, "test": "def check(candidate): pass"}, "fails its own test"),
    ({**LOOPED, "test": "def check(candidate):\n    while 1: pass"}, "timeout"),
]


def test_references_that_no_program_could_meet_are_named_in_order() -> None:
    given = [one for bad, _ in BAD for one in (bad, GOOD[0])] + GOOD
    texts = [one if isinstance(one, str) else json.dumps(one) for one in given]
    found = list(code.problems(iter(texts), knobs=KNOBS))
    assert found[1::2][: len(BAD)] == [None] * len(BAD)
    assert found[2 * len(BAD) :] == [None] * len(GOOD)
    for problem, (_, words) in zip(found[::2], BAD, strict=False):
        assert words in str(problem)


def test_a_comparison_costs_little_whatever_values_come() -> None:
    step = 2**61 - 1  # all have the same hash
    hostile = [[i * step for i in range(30_000)], [[]] * 200_000, 10**300_000, "a" * 10**6]
    cases = ["set(f(1)) == {1}", "sum(f(1), 0) == 1", "f(1) * f(1) * f(1) == 1", "f(1) ** 9 == 1"]
    begin = time.process_time()
    for case in cases:
        check = asserts.split(f"assert {case}", "f")
        assert not any(check.passes([value] * len(check.calls)) for value in hostile)
    assert time.process_time() - begin < 5
