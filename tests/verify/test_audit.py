"""`sourcewise audit`: labelled answers in, errors with their intervals out."""

import ast
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sourcewise.commands import counting, labelled, programs
from sourcewise.commands.mutants import cpp_mutants, mutants
from sourcewise.commands.programs import Program

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / ".venvs/workflow/bin/python"
SOLVERS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


def _jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _gsm8k(folder: Path) -> None:
    """Three problems: one label is wrong by mistake, so that label and verdict differ."""
    rows = []
    for n in range(3):
        row: dict[str, Any] = {"question": f"What is {n}?", "ground_truth": f"So it is\nA: {n}"}
        for place, solver in enumerate(SOLVERS):
            said = n + (place == 3)
            row[solver] = {"solution": f"So it is\nA: {said}", "is_correct": said == n}
        rows.append(row)
    rows[2]["175b_verification"]["is_correct"] = True
    rows[1]["6b_finetuning"] = {"solution": "It is 1, I think", "is_correct": False}
    _jsonl(folder / "gsm8k/example_model_solutions.jsonl", rows)


def _mbpp(folder: Path) -> None:
    def row(code: str, *tests: str) -> dict[str, Any]:
        return {"task_id": 1, "text": "?", "code": code, "test_list": tests, "test_setup_code": ""}

    rows = [
        row("def add(a, b):\r\n  return a + b", "assert add(1, 2) == 3", "assert add(2, 2) == 4"),
        row("def wrong(a):\n  return a", "assert wrong(1) == 2"),
        row("def same(a):\n  pass", "assert same(1) is None"),
        row("def odd(a):\n  return a % 2", "odd(1)"),
    ]
    _jsonl(folder / "mbpp/mbpp.jsonl", rows)


def _audit(*arguments: str) -> subprocess.CompletedProcess[str]:
    if not WORKFLOW.exists():
        pytest.skip("needs the environment workflow")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    command = [str(WORKFLOW), "-m", "sourcewise", "audit", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_a_folder_of_labelled_sets_becomes_tables_and_a_file(tmp_path: Path) -> None:
    _gsm8k(tmp_path)
    _mbpp(tmp_path)
    out = tmp_path / "audit.json"
    result = _audit("--labelled", str(tmp_path), "--out", str(out), "--list")
    assert result.returncode == 0, result.stderr
    assert "without math500" in result.stderr
    found = json.loads(out.read_text())
    assert found["min_score"] == 0.9
    gsm8k, mbpp = found["sets"]
    assert (gsm8k["verifier"], gsm8k["set"], mbpp["verifier"]) == ("math", "gsm8k", "code")
    assert (gsm8k["right"], gsm8k["wrong"]) == (9, 3)
    assert (gsm8k["false_accepts"], gsm8k["false_rejects"]) == (0, 1)
    assert (mbpp["right"], mbpp["wrong"], mbpp["skipped"]) == (2, 1, 3)
    assert (mbpp["false_accepts"], mbpp["false_rejects"]) == (0, 0)
    # 1 of 9 with its exact interval; 0 of 3, of which one attempt in four tells little.
    assert "1 = 11.11 % (0.28 to 48.25)" in result.stdout
    assert "0 = 0.00 % (0.00 to 70.76)" in result.stdout
    assert "gsm8k 12, right by its label: scored\n0.0 expected 2, got 3" in result.stdout


def test_rows_of_ones_own_with_labels(tmp_path: Path) -> None:
    def row(name: str, response: str, label: object, reference: str = "3/4") -> dict[str, Any]:
        return {"id": name, "prompt": "?", "reference": reference, "response": response,
                "label": label, "category": "math"}  # fmt: skip

    rows = [
        row("a", "<answer>0.75</answer>", True),
        row("b", "<answer>0.75</answer>", False),
        row("c", "<answer>0.76</answer>", False),
        row("d", "none", True),
        row("e", "<answer>1</answer>", "yes"),
        row("f", "<answer>1</answer>", True, reference="@"),
        {**row("g", "<answer>ice</answer>", True, "water"), "category": "science"},
    ]
    path, out = _jsonl(tmp_path / "own.jsonl", rows), tmp_path / "audit.json"
    result = _audit("--file", str(path), "--out", str(out))
    assert result.returncode == 0, result.stderr
    assert "line 5: 'label' is neither true nor false" in result.stderr
    mine, science = json.loads(out.read_text())["sets"]
    assert {key: mine[key] for key in ("right", "wrong", "false_accepts", "false_rejects")} == {
        "right": 2, "wrong": 2, "false_accepts": 1, "false_rejects": 1
    }  # fmt: skip
    assert (mine["unjudged"], mine["skipped"]) == (1, 1)
    assert (science["verifier"], science["unjudged"], science["right"]) == ("science", 1, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--labelled", "nowhere"], "does not exist"),
        (["--set", "gsm9k"], "no set 'gsm9k'; there are gsm8k, math500"),
        (["--file", "nowhere.jsonl"], "nowhere.jsonl does not exist"),
        (["--success", "2"], "2 does not lie between 0 and 1"),
    ],
)
def test_wrong_use_says_what_is_wrong(arguments: list[str], message: str) -> None:
    result = _audit(*arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_the_statuses_that_say_nothing_of_an_answer_are_those_of_the_report() -> None:
    tree = ast.parse((ROOT / "workflow/sourcewise/report/scores.py").read_text())
    values = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    call = values["UNJUDGED"]
    assert isinstance(call, ast.Call)
    assert ast.literal_eval(call.args[0]) == counting.UNJUDGED


def test_a_mutant_differs_from_its_program_in_one_place_from_the_end_of_the_text() -> None:
    program = "def f(a, b):\n    if a < 3 and b:\n        return a + 1\n    return True\nf(1, 2)"
    assert [text.removesuffix("\nf(1, 2)") for text in mutants(program, "f")] == [
        "def f(a, b):\n    if a < 3 and b:\n        return a + 1\n    return False",
        "def f(a, b):\n    if a < 3 and b:\n        return a + 1\n    return None",
        "def f(a, b):\n    if a < 3 and b:\n        return a + 2\n    return True",
        "def f(a, b):\n    if a < 3 and b:\n        return a - 1\n    return True",
        "def f(a, b):\n    if a < 3 and b:\n        return None\n    return True",
        "def f(a, b):\n    if a < 4 and b:\n        return a + 1\n    return True",
        "def f(a, b):\n    if a < 3 or b:\n        return a + 1\n    return True",
        "def f(a, b):\n    if a >= 3 and b:\n        return a + 1\n    return True",
    ]
    assert next(mutants(program)).endswith("f(1, 3)")


def test_a_mutant_in_cpp_leaves_types_and_pointers_alone() -> None:
    program = "vector<int*> f(int *a){ return a->b<3 && n%10 ? *a * 2 : true; }"
    assert list(cpp_mutants(program)) == [
        "vector<int*> f(int *a){ return a->b<3 && n%10 ? *a * 2 : false; }",
        "vector<int*> f(int *a){ return a->b<3 && n%10 ? *a * 3 : true; }",
        "vector<int*> f(int *a){ return a->b<3 && n%10 ? *a + 2 : true; }",
        "vector<int*> f(int *a){ return a->b<3 && n%11 ? *a * 2 : true; }",
        "vector<int*> f(int *a){ return a->b<3 && n*10 ? *a * 2 : true; }",
        "vector<int*> f(int *a){ return a->b<3 || n%10 ? *a * 2 : true; }",
        "vector<int*> f(int *a){ return a->b<4 && n%10 ? *a * 2 : true; }",
    ]


def test_labels_of_programs_come_from_running_their_own_tests() -> None:
    def program(code: str, tests: str, language: str = "python") -> Program:
        return Program("f", "?", code, {"fn_name": "f"}, tests, language=language)

    given = [
        program("def f(x): return x + 1", "assert f(1) == 2"),
        program("def f(x): return x", "assert f(1) == 2"),
        program("def f(x): pass", "assert f(1) is None"),
        program("import sys\nsys.exit(0)", "assert False"),
        program("int f(int x){ return x+1; }", "int main(){ assert(f(1) == 2); }", "cpp"),
        program("int f(int x){ return x; }", "int main(){ assert(f(1) == 2); }", "cpp"),
    ]
    found = list(programs.labelled(given))
    assert [(one.label, one.reason) for one in found] == [
        (True, ""),
        (False, ""),
        (None, "fails its own tests"),
        (True, ""),
        (None, "no mutant of 12 fails its tests"),
        (None, "fails its own tests"),
        (True, ""),
        (False, ""),
        (None, "fails its own tests"),
    ]
    assert found[1].code != found[0].code


def test_every_built_in_set_of_the_data_folder_has_answers_of_both_labels() -> None:
    folder = ROOT.parent / "shared/data"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data")
    for name, chosen in labelled.SETS.items():
        if chosen.category == "code":
            continue  # running them all takes minutes
        labels = {row.given["label"] for row in labelled.read(folder, name) if row.attempt}
        assert labels == {True, False}, name
