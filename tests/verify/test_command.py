"""`sourcewise verify FILE`: a line for every row, in order, whatever the rows are like."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sourcewise.commands import verify

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / ".venvs/workflow/bin/python"
ASSERTS = ["assert f(1) == 2", "assert f(2) == 3"]
PROGRAM = "```python\ndef f(x): return x + 1\n```"
NO_COMMA = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
POWERS = "9^{9^{9^{9}}}"


def _row(name: object, reference: Any, response: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "prompt": "?", "reference": reference, "response": response, **more}


def _write(folder: Path, rows: list[dict[str, Any] | str | bytes]) -> Path:
    path = folder / "rows.jsonl"
    lines = [row if isinstance(row, str | bytes) else json.dumps(row) for row in rows]
    path.write_bytes(b"".join((x if isinstance(x, bytes) else x.encode()) + b"\n" for x in lines))
    return path


def _judged(
    folder: Path, rows: list[Any], *options: str, category: str | None = "math"
) -> list[dict[str, Any]]:
    out = folder / "out.jsonl"
    chosen = ["--category", category] if category else []
    assert verify.main([str(_write(folder, rows)), *chosen, "--out", str(out), *options]) == 0
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def test_each_row_has_its_line_in_the_order_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        _row("a", "3/4", "<answer>0.75</answer>"),
        _row(2, {"answer": "3/4"}, "<answer>0.76</answer>"),
        _row("c", 7, "who knows"),
        _row("d", "5", "<answer>5</answer>", finish_reason="length"),
        _row("e", "\\sqrt{8}", "<answer>2\\sqrt2</answer>"),
    ]
    lines = _judged(tmp_path, rows)
    assert [(line["id"], line["status"], line["score"]) for line in lines] == [
        ("a", "scored", 1.0),
        (2, "scored", 0.0),
        ("c", "no_answer", None),
        ("d", "truncated", None),
        ("e", "scored", 1.0),
    ]
    assert lines[1]["detail"] == "expected 3/4, got 0.76"
    assert lines[4]["facts"] == {"by": "algebra"}
    assert all(line["seconds"] > 0 for line in lines)
    said = capsys.readouterr().out
    assert "scored                     3    60.0 %" in said
    assert "verified (score ≥ 0.9): 2 of 5 judged rows (40.0 %); mean score 0.667" in said
    assert "5 rows in" in said


MALFORMED = [
    (b"\xff\xfe\x00", "not JSON: no UTF-8 at byte 1"),
    ("{", "not JSON: Expecting property name enclosed in double quotes at character 2"),
    ("[" * 100_000, "not JSON"),
    ("[1, 2]", "not a JSON object but list"),
    ('{"id": 1e999999, "prompt": "?", "response": "x"}', "no 'reference'"),
    ("1" * 5000, "not JSON"),
    ({"prompt": "?", "reference": "1", "response": "x"}, "no 'id'"),
    ({"id": "x", "reference": "1", "response": "x"}, "neither 'prompt' nor 'messages'"),
    (_row("x", "1", "x", prompt=7), "column 'prompt' is not text but int"),
    ({"id": "x", "messages": "?", "reference": "1", "response": "x"}, "is not a list of turns"),
    ({"id": "x", "messages": [], "reference": "1", "response": "x"}, "holds no user turn"),
    (_row("x", "1", "y") | {"response": None}, "'response' is NoneType, not text"),
    (_row("x", None, "y"), "no 'reference'"),
]


def test_a_malformed_row_is_reported_by_line_and_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = _row("good", "1", "<answer>1</answer>")
    rows = [part for row, _ in MALFORMED for part in (row, "", good)]
    lines = _judged(tmp_path, rows)
    assert [line["status"] for line in lines] == ["malformed", "scored"] * len(MALFORMED)
    said = capsys.readouterr().err
    for n, (_, problem) in enumerate(MALFORMED):
        assert lines[2 * n]["line"] == 3 * n + 1
        assert problem in lines[2 * n]["detail"]
        assert f"line {3 * n + 1}: {lines[2 * n]['detail']}\n" in said


def test_a_line_without_end_is_malformed_and_not_held_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sourcewise.commands.rows.MOST_BYTES", 1000)
    good = _row("good", "1", "<answer>1</answer>")
    lines = _judged(tmp_path, [_row("long", "1", "x" * 5000), good])
    assert [line["status"] for line in lines] == ["malformed", "scored"]
    assert lines[0]["line"] == 1


def test_many_malformed_rows_do_not_flood_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = _judged(tmp_path, ["{"] * 500 + [_row(1, "1", "<answer>1</answer>")])
    assert len(lines) == 501
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 21
    assert said[-1] == "verify: 480 more malformed rows"


def test_rows_may_name_their_categories(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A category that is rarer than this is judged for itself; nothing may be lost or swapped by that.
    monkeypatch.setattr("sourcewise.commands.judging.AHEAD", 10)
    rows = []
    for n in range(60):
        rows.append(_row(n, str(n), f"<answer>{n}</answer>", category="math"))
        if n % 17 == 0:
            rows.append(_row(f"code {n}", ASSERTS, PROGRAM, category="code"))
        if n % 29 == 0:
            text = "a, b" if n else "a b"
            rows.append(_row(f"text {n}", NO_COMMA, text, category="instruction"))
    rows.append(_row("rhyme", "x", "y", category="poetry"))
    rows.append(_row("none", "x", "y"))
    lines = _judged(tmp_path, rows, category=None)
    assert [line["id"] for line in lines] == [row["id"] for row in rows]
    scores = {line["id"]: line.get("score") for line in lines}
    assert all(scores[n] == 1.0 for n in range(60))
    assert [scores[f"code {n}"] for n in (0, 17, 34, 51)] == [1.0] * 4
    assert [scores[f"text {n}"] for n in (0, 29, 58)] == [1.0, 0.0, 0.0]
    assert "no verifier for category 'poetry'; there are math, code" in lines[-2]["detail"]
    assert lines[-1]["detail"] == "no 'category', and none named by --category"
    assert "verifiers code" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("category", "reference", "response", "status"),
    [
        ("code", ASSERTS, PROGRAM, "scored"),
        ("code", json.dumps(ASSERTS), PROGRAM, "scored"),
        ("code", {"inputs": ["1\n"], "outputs": ["1\n"]}, "print(input())", "scored"),
        ("code", "no tests at all", PROGRAM, "bad_reference"),
        ("code", {"inputs": 3}, PROGRAM, "bad_reference"),
        ("code", [{"input": 1}], PROGRAM, "bad_reference"),
        ("instruction", NO_COMMA, "a b", "scored"),
        ("instruction", json.dumps(NO_COMMA), "a b", "scored"),
        ("instruction", {"instruction_id_list": ["x"], "kwargs": 1}, "a", "bad_reference"),
        ("math", "", "<answer>1</answer>", "bad_reference"),
        ("math", {"solution": "1"}, "<answer>1</answer>", "bad_reference"),
        ("math", {"answer": 0.5}, "<answer>1/2</answer>", "scored"),
        ("dialogue", None, "Hello.", "unavailable"),
        ("science", "water", "<answer>ice</answer>", "unavailable"),
    ],
)
def test_references_are_taken_as_people_write_them(
    tmp_path: Path, category: str, reference: object, response: str, status: str
) -> None:
    (line,) = _judged(tmp_path, [_row(1, reference, response)], category=category)
    assert (line["status"], line["score"]) == (status, 1.0 if status == "scored" else None)


def test_hostile_rows_cost_only_themselves(tmp_path: Path) -> None:
    rows = [
        _row("\ud800", "1", "<answer>\ud800\udc00\udfff 1</answer>"),
        _row("tower", "7", f"<answer>{POWERS}</answer>"),
        _row("bad", POWERS, "<answer>7</answer>"),
        _row("good", "1", "<answer>1</answer>"),
    ]
    quick = tmp_path / "quick.yaml"
    preset = (ROOT / "workflow/presets/tiny.yaml").read_text()
    quick.write_text(preset.replace("math: {seconds: 5", "math: {seconds: 0.5"))
    lines = _judged(tmp_path, rows, "--params", str(quick))
    assert [line["id"] for line in lines] == ["\ud800", "tower", "bad", "good"]
    assert [line["score"] for line in lines[1:]] in ([0.0, None, 1.0], [None, None, 1.0])


def test_limits_come_from_params_yaml_here_or_from_a_named_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    row = _row(1, "1", "<answer>" + "1" * 30 + "</answer>")
    preset = (ROOT / "workflow/presets/tiny.yaml").read_text()
    assert _judged(tmp_path, [row])[0]["status"] == "scored"
    assert "limits of " in capsys.readouterr().out
    Path("params.yaml").write_text("train: {epochs: 1}  # of some other project\n")
    assert _judged(tmp_path, [row])[0]["status"] == "scored"
    Path("params.yaml").write_text(preset.replace("max_answer_chars: 2000", "max_answer_chars: 20"))
    assert _judged(tmp_path, [row])[0]["status"] == "no_answer"
    Path("other.yaml").write_text(preset)
    assert _judged(tmp_path, [row], "--params", "other.yaml")[0]["status"] == "scored"
    Path("other.yaml").write_text(preset.replace("{mode: strict}", "{mode: kind}"))
    assert verify.main(["rows.jsonl", "--out", "x", "--params", "other.yaml"]) == 2
    assert "other.yaml: verifiers.instruction.mode: " in capsys.readouterr().err


WRONG_USES = [
    (["missing.jsonl", "--out", "x"], "missing.jsonl does not exist"),
    ([".", "--out", "x"], ". is no file"),
    (["empty.jsonl", "--out", "x"], "empty.jsonl is empty"),
    (["table.csv", "--category", "math", "--out", "x"], "no row that can be judged: 2 are"),
    (["good.jsonl", "--out", "x"], "no row that can be judged: 1 are malformed"),
    (["good.jsonl", "--category", "maths", "--out", "x"], "'maths'; there are math, code, instr"),
    (["good.jsonl", "--category", "math", "--out", "no/x"], "no does not exist"),
    (["good.jsonl", "--category", "math", "--out", "."], "is a folder"),
    (["good.jsonl", "--category", "math", "--out", "good.jsonl"], "would replace the rows"),
    (["good.jsonl", "--category", "math", "--out", "x", "--params", "p"], "p does not exist"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG_USES)
def test_wrong_use_is_one_line_and_the_exit_status_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.jsonl").touch()
    Path("table.csv").write_text("id,prompt\n1,?\n")
    good = json.dumps(_row(1, "1", "<answer>1</answer>")) + "\n"
    Path("good.jsonl").write_text(good)
    assert verify.main(arguments) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("sourcewise verify: ")
    assert message in last
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "empty.jsonl",
        "good.jsonl",
        "table.csv",
    ]
    assert Path("good.jsonl").read_text() == good


def test_without_a_sandbox_no_program_is_run_and_nothing_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sourcewise.grading.sandbox import command

    path, out = _write(tmp_path, [_row(1, ASSERTS, PROGRAM)]), tmp_path / "out.jsonl"
    monkeypatch.setenv("PATH", "/nonexistent")
    command.command.cache_clear()
    try:
        assert verify.main([str(path), "--category", "code", "--out", str(out)]) == 2
    finally:
        command.command.cache_clear()
    assert "bubblewrap is not installed" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["rows.jsonl"]


def test_an_older_output_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("the last run\n")
    path = _write(tmp_path, ["not a row"])
    assert verify.main([str(path), "--category", "math", "--out", str(out)]) == 2
    assert out.read_text() == "the last run\n"
    _judged(tmp_path, [_row(1, "1", "<answer>1</answer>")])
    assert json.loads(out.read_text())["score"] == 1.0


def _command(*arguments: str, python: str | Path = sys.executable, **more: Any) -> list[str]:
    return [str(python), "-m", "sourcewise", "verify", *arguments]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing_behind(tmp_path: Path, sent: signal.Signals) -> None:
    rows = [_row(n, "7", f"<answer>{POWERS} + {n}</answer>") for n in range(300)]
    path, out = _write(tmp_path, rows), tmp_path / "out.jsonl"
    command = _command(str(path), "--category", "math", "--out", str(out))
    process = subprocess.Popen(
        command, env=_environment(), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".*.partial")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(sent)
    _, said = process.communicate(timeout=60)
    assert process.returncode == (130 if sent == signal.SIGINT else 143)
    assert "Traceback" not in said
    assert [file.name for file in tmp_path.iterdir()] == ["rows.jsonl"]


def test_a_pipe_gets_the_lines_and_the_summary_goes_to_stderr(tmp_path: Path) -> None:
    path = _write(tmp_path, [_row(n, "1", "<answer>1</answer>") for n in range(3)])
    command = _command(str(path), "--category", "math", "--out", "-")
    result = subprocess.run(command, env=_environment(), capture_output=True, text=True)
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == [0, 1, 2]
    assert "mean score 1.000" in result.stderr


def test_the_command_of_the_workflow_environment_hands_over(tmp_path: Path) -> None:
    if not WORKFLOW.exists():
        pytest.skip("needs the environment workflow")
    path = _write(tmp_path, [_row(1, "\\sqrt{8}", "<answer>2\\sqrt2</answer>")])
    out = tmp_path / "out.jsonl"
    command = _command(*(str(path), "--category", "math", "--out", str(out)), python=WORKFLOW)
    result = subprocess.run(command, env=_environment(), capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert json.loads(out.read_text())["score"] == 1.0
    alone = _environment() | {"SOURCEWISE_VENVS": str(tmp_path)}
    result = subprocess.run(command, env=alone, capture_output=True, text=True)
    assert result.returncode == 2
    assert "verify/bin/python does not exist" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_stage_of_the_same_name_still_takes_its_tables(tmp_path: Path) -> None:
    command = _command("--queries", str(tmp_path / "q"), "--responses", "r", "--out", "o")
    result = subprocess.run(command, env=_environment(), capture_output=True, text=True)
    assert "the following arguments are required: --verifiers" in result.stderr


# What a process held at most; ru_maxrss would count what its parent held when it was started.
PEAK = """
import sys
from sourcewise.commands import verify
verify.main(sys.argv[1:])
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]))
"""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    row = json.dumps(_row(1, "1", "<think>" + "word " * 400 + "</think><answer>1</answer>"))
    peaks = []
    for n in (3_000, 15_000):
        path = tmp_path / f"{n}.jsonl"
        path.write_text(f"{row}\n" * n)
        command = [sys.executable, "-c", PEAK, str(path), "--category", "math", "--out", os.devnull]
        said = subprocess.check_output(command, env=_environment(), text=True)
        peaks.append(int(said.splitlines()[-1]))
    assert peaks[1] < 1.1 * peaks[0]
