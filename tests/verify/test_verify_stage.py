"""Stage verify: every response gets one verdict of its category's verifier, or the job fails."""

import json
from pathlib import Path

import pytest

from sourcewise import tables
from sourcewise.grading.sandbox import SandboxUnavailableError, command
from sourcewise.params.distill import CodeVerifier, InstructionVerifier, MathVerifier, Verifiers
from sourcewise.stages import verify
from sourcewise.tables import Message, Query, Response, Verdict

KNOBS = Verifiers(
    math=MathVerifier(seconds=5, memory_mb=1024, max_answer_chars=500, judge=None),
    code=CodeVerifier(max_tests=10, seconds=2, memory_mb=512, compile_seconds=30),
    instruction=InstructionVerifier(mode="strict"),
    science=None,
    dialogue=None,
)
ASSERT = '{"call_type": "assert", "fn_name": "f", "assert_case": ["assert f(1) == 1"]}'
NO_COMMA = '{"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}'
QUERIES = [
    ("m", "math", '{"answer": "4"}'),
    ("c", "code", ASSERT),
    ("i", "instruction", NO_COMMA),
    ("s", "science", '{"answer": "water"}'),
]


def _run(
    folder: Path,
    responses: list[tuple[str, str]],
    queries: list[tuple[str, str, str]] = QUERIES,
    *,
    every_test: bool = False,
) -> list[Verdict]:
    asked = [
        Query(n, "test", category, [Message("user", n)], ref, "MIT") for n, category, ref in queries
    ]
    given = [
        Response(name, n, "teacher", text, "stop", 1, 1, 0, "vllm", "r")
        for n, (name, text) in enumerate(responses, 1)
    ]
    tables.write(folder / "queries.parquet", Query, asked)
    tables.write(folder / "responses.parquet", Response, given)
    verify.run(
        queries=folder / "queries.parquet",
        responses=folder / "responses.parquet",
        verifiers=KNOBS,
        out=folder / "verdicts.parquet",
        every_test=every_test,
    )
    return list(tables.read(folder / "verdicts.parquet", Verdict))


def test_rows_stand_in_the_order_of_the_responses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    responses = [
        ("i", "a b"),
        ("m", "<answer>4</answer>"),
        ("c", "```python\ndef f(x): return x\n```"),
        ("m", "<answer>5</answer>"),
        ("s", "<answer>water</answer>"),
        ("i", "a, b"),
    ]
    verdicts = _run(tmp_path, responses)
    assert [(v.query_id, v.attempt, v.verifier, v.score) for v in verdicts] == [
        ("i", 1, "instruction", 1.0),
        ("m", 2, "math", 1.0),
        ("c", 3, "code", 1.0),
        ("m", 4, "math", 0.0),
        ("s", 5, "science", None),
        ("i", 6, "instruction", 0.0),
    ]
    assert "verifiers.science is null" in verdicts[4].detail
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last == (
        "verify: 5 scored, 1 unavailable; mean score: code 1.000, instruction 0.500, math 0.500"
    )


def test_the_same_responses_give_the_same_bytes(tmp_path: Path) -> None:
    responses = [("m", "<answer>x+1</answer>"), ("c", "```python\ndef f(x): return {1, 'a'}\n```")]
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        _run(tmp_path / name, responses)
    first, second = (tmp_path / name / "verdicts.parquet" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def test_no_responses_make_an_empty_table(tmp_path: Path) -> None:
    assert _run(tmp_path, []) == []


def test_a_response_to_an_unknown_query_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"responses\.parquet: attempt 1 answers query zzz"):
        _run(tmp_path, [("zzz", "<answer>4</answer>")])
    assert not (tmp_path / "verdicts.parquet").exists()


def test_an_unknown_category_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no verifier for category 'poetry'; there are math, code"):
        _run(tmp_path, [("p", "x")], [("p", "poetry", "")])


def test_without_a_sandbox_nothing_at_all_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    command.command.cache_clear()
    try:
        with pytest.raises(SandboxUnavailableError, match="bubblewrap is not installed"):
            _run(tmp_path, [("m", "<answer>4</answer>"), ("c", "def f(x): return x")])
    finally:
        command.command.cache_clear()
    assert not (tmp_path / "verdicts.parquet").exists()


def test_a_missing_judge_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SOURCEWISE_JUDGE_URL", raising=False)
    judge = '{"model": "j", "max_answer_chars": 100, "seconds": 1, "seed": 0, "task": null}'
    knobs = KNOBS.model_dump_json().replace('"science":null', f'"science":{judge}')
    monkeypatch.setattr("test_verify_stage.KNOBS", Verifiers.model_validate_json(knobs))
    verdicts = _run(tmp_path, [("s", "<answer>ice</answer>"), ("s", "<answer>fire</answer>")])
    assert [verdict.status for verdict in verdicts] == ["unavailable"] * 2
    assert capsys.readouterr().err.count("set SOURCEWISE_JUDGE_URL") == 1


def test_a_benchmark_runs_the_tests_beyond_those_that_teachers_are_given(tmp_path: Path) -> None:
    cases = [f"assert f({n}) == {n}" for n in range(11)]
    reference = json.dumps({"call_type": "assert", "fn_name": "f", "assert_case": cases})
    nearly = [("c", "```python\ndef f(x): return x if x < 10 else 0\n```")]
    asked = [("c", "code", reference)]
    assert [v.score for v in _run(tmp_path, nearly, asked)] == [1.0]
    assert [v.score for v in _run(tmp_path, nearly, asked, every_test=True)] == [10 / 11]
