"""The stage command line: a stage's signature is what its rule calls."""

import subprocess
import sys
from pathlib import Path

import pytest

from sourcewise.__main__ import main, parser
from sourcewise.params.queries import Clean


def _run(
    *, name: str, inputs: tuple[Path, ...], clean: Clean, attempt: int, score: float | None
) -> None:
    """A stage with every kind of parameter."""


def test_the_signature_is_the_command_line() -> None:
    options = parser("stage", _run).parse_args(
        ["--name", "a", "--inputs", "x", "y", "--clean", "{}", "--attempt", "2", "--score", "null"]
    )
    assert vars(options) == {
        "name": "a",
        "inputs": ["x", "y"],
        "clean": "{}",
        "attempt": "2",
        "score": "null",
    }


def test_a_missing_option_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser("stage", _run).parse_args(["--name", "a"])
    assert "--inputs" in capsys.readouterr().err


def test_an_unknown_stage_names_the_known_ones() -> None:
    with pytest.raises(SystemExit, match="verify"):
        main(["verifi"])


def _stage(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sourcewise", *command], capture_output=True, text=True, cwd=folder
    )


def _collect(folder: Path, out: str) -> subprocess.CompletedProcess[str]:
    columns = '"columns": {"prompt": "q"}'
    origin = f'{{"category": "math", "licence": "MIT", "files": ["x.jsonl"], {columns}}}'
    options = ("--name", "sums", "--origin", origin, "--seed", "1", "--planted")
    return _stage(folder, "collect", *options, "--out", out, "--rejects", "r")


def test_a_foreseen_error_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"question": "1 + 1?"}\n')
    result = _collect(tmp_path, "y")
    assert result.returncode == 1
    said = result.stderr.splitlines()[-1]
    assert said.startswith("sourcewise collect: sums: none of its 1 rows can be used; the first: ")
    assert "Traceback" not in result.stderr


def test_an_unforeseen_error_leaves_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"q": "1 + 1?"}\n')
    result = _collect(tmp_path, "x.jsonl/y")
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "FileExistsError" in result.stderr


def test_json_that_does_not_fit_names_its_option(tmp_path: Path) -> None:
    command = [
        "clean",
        *("--collected", "x", "--before", "--number", "0", "--shards", "1"),
        *("--judged", "false"),
        *("--clean", '{"min_chars": 0}', "--out", "y", "--kept", "z", "--rejects", "r"),
    ]
    result = _stage(tmp_path, *command)
    assert result.returncode != 0
    assert "--clean" in result.stderr
    assert "min_chars" in result.stderr
