"""Programs are judged by their first tests, and what is expected stays outside of the sandbox."""

import tempfile
from pathlib import Path

import pytest
from rows import attempt

from sourcewise.grading import asserts, sandbox
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
    assert code.extract(answer, "f") == "def f(x): return 1\n"
    assert code.extract("def f(x): return 1", "f") == "def f(x): return 1"
    assert code.extract("I cannot do that.", "f") is None


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
