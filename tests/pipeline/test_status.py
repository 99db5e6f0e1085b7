"""`sourcewise status` beside what the tools do: it names the edit, and a run then asks what it foretold."""

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from served import ledgers, records
from working_copy import Copy

Why = set[tuple[str, str, str, str | None, str | None]]


@pytest.fixture(scope="module")
def copy(made: Copy) -> Copy:
    """A finished working copy that these tests edit; each puts back what it changed."""
    return made.twin(made.folder.with_name("status"))


def _status(copy: Copy, code: int) -> dict[str, Any]:
    result = subprocess.run(
        ["sourcewise", "status", "--json", "--cores", "2"],
        cwd=copy.folder,
        env=copy.environment(),
        capture_output=True,
        text=True,
    )
    assert result.returncode == code, result.stdout + result.stderr
    return dict(json.loads(result.stdout))


def _why(status: dict[str, Any]) -> Why:
    return {tuple(cause["change"].values()) for cause in status["causes"]}


def _jobs(status: dict[str, Any]) -> dict[str, int]:
    rules: Counter[str] = Counter()
    for planned in status["plan"]:
        rules.update(planned["rules"])
    return dict(rules)


def _calls(status: dict[str, Any], model: str) -> dict[str, Any]:
    return next(dict(calls) for calls in status["calls"] if calls["model"] == model)


def _answers(copy: Copy) -> Counter[str]:
    """The answers that the ledgers hold, by the model that gave them."""
    count: Counter[str] = Counter()
    for folder in ledgers(copy):
        count[f"{folder.parts[-3]}/{folder.parts[-2]}"] += len(records(folder))
    return count


def _times(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_nothing_is_stale_after_a_run_and_looking_changes_nothing(copy: Copy) -> None:
    _status(copy, 0)
    before = _times(copy.folder / "data"), _times(copy.folder / ".snakemake/metadata")
    status = _status(copy, 0)
    assert (status["causes"], status["plan"], status["calls"]) == ([], [], [])
    assert status["dvc"] == {}
    assert (_times(copy.folder / "data"), _times(copy.folder / ".snakemake/metadata")) == before


def test_an_edited_limit_is_named_with_both_values_and_all_it_makes_stale(copy: Copy) -> None:
    copy.edit("max: 1000000.0", "max: 999999.0")
    status, planned = _status(copy, 3), copy.planned()
    copy.edit("max: 999999.0", "max: 1000000.0")
    assert _why(status) == {("param", "filters.perplexity.max", "changed", "1000000.0", "999999.0")}
    assert status["causes"][0]["stages"] == ["dataset@terse", "dataset@unverified", "report"]
    assert _jobs(status) == planned
    student = _calls(status, "unverified")
    # Trained on the same rows it would be the same student, whose answers are there.
    assert (student["calls"], student["at_most"], student["exact"]) == (16, True, False)
    assert (status["only_dvc"], status["only_snakemake"]) == ([], [])


def test_what_asks_no_model_costs_no_call(copy: Copy) -> None:
    copy.edit("max_count: 20", "max_count: 19")
    status = _status(copy, 3)
    copy.edit("max_count: 19", "max_count: 20")
    assert _why(status) == {("param", "filters.ngram.max_count", "changed", "20", "19")}
    assert _jobs(status) == {"filter": 1, "report": 1}
    assert status["calls"] == []


def test_two_edits_on_one_branch_are_both_named(copy: Copy) -> None:
    copy.edit("min_score: 0.9", "min_score: 0.8")
    copy.edit("max_count: 20", "max_count: 19")
    copy.edit("max_steps: 4", "max_steps: 5")
    status = _status(copy, 3)
    copy.edit("min_score: 0.8", "min_score: 0.9")
    copy.edit("max_count: 19", "max_count: 20")
    copy.edit("max_steps: 5", "max_steps: 4")
    assert _why(status) == {
        ("param", "datasets.terse.min_score", "changed", "0.9", "0.8"),
        ("param", "filters.ngram.max_count", "changed", "20", "19"),
        ("param", "train.max_steps", "changed", "4", "5"),
    }


def test_a_comment_makes_nothing_stale_and_an_edit_names_its_file(copy: Copy) -> None:
    module = copy.folder / "workflow/sourcewise/filters/ngram.py"
    text = module.read_text()
    module.write_text(text + "# A remark.\n")
    assert _status(copy, 0)["only_dvc"] == ["dataset@terse", "dataset@unverified"]
    module.write_text(text + "REMARK = 1\n")
    status = _status(copy, 3)
    module.write_text(text)
    assert _why(status) == {("code", "workflow/sourcewise/filters/ngram.py", "changed", None, None)}
    assert status["only_dvc"] == []


def test_a_lost_table_is_named_and_costs_no_call(copy: Copy) -> None:
    lost = next(iter(sorted(copy.folder.glob("data/distill/terse/round-1/*.verdicts.parquet"))))
    kept = lost.read_bytes()
    stat = lost.stat()
    lost.unlink()
    status = _status(copy, 3)
    lost.write_bytes(kept)
    os.utime(lost, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert _why(status) == {("file", str(lost.relative_to(copy.folder)), "missing", None, None)}
    teacher = _calls(status, "terse")
    assert (teacher["calls"], teacher["exact"]) == (0, True)


def test_a_new_teacher_is_a_new_entry_and_its_cost_an_expectation(copy: Copy) -> None:
    params = copy.folder / "params.yaml"
    text = params.read_text()
    start, end = text.index("  terse:\n    engine"), text.index("distill:\n")
    params.write_text(text[:end] + text[start:end].replace("terse:", "second:") + text[end:])
    status = _status(copy, 3)
    params.write_text(text)
    assert _why(status) == {("param", "teachers.second", "added", None, None)}
    teacher, queries = _calls(status, "second"), len(_queries(copy))
    assert not teacher["exact"]
    # The first round asks everything, the second what the share of terse leaves open.
    assert queries < teacher["calls"] <= 2 * queries


def _queries(copy: Copy) -> list[str]:
    import pyarrow.parquet as pq

    tables = sorted(
        path
        for path in copy.folder.glob("data/queries/corpus/*.parquet")
        if path.name.count(".") == 1
    )
    return [
        one for path in tables for one in pq.read_table(path, columns=["query_id"])[0].to_pylist()
    ]


def test_a_raised_threshold_finds_its_answers_in_the_ledger(copy: Copy) -> None:
    copy.edit("stop_score: 0.9", "stop_score: 1.0")
    status = _status(copy, 3)
    copy.edit("stop_score: 1.0", "stop_score: 0.9")
    assert ("param", "distill.stop_score", "changed", "0.9", "1.0") in _why(status)
    teacher = _calls(status, "terse")
    assert teacher["exact"]
    # Scores of these tasks are 0 or 1: the same queries are open.
    assert teacher["calls"] == 0


def test_a_wrong_key_is_said_as_snakemake_says_it(copy: Copy) -> None:
    copy.edit("max_attempts: 2", "max_atempts: 2")
    result = subprocess.run(
        ["sourcewise", "status"],
        cwd=copy.folder,
        env=copy.environment(),
        capture_output=True,
        text=True,
    )
    copy.edit("max_atempts: 2", "max_attempts: 2")
    assert result.returncode == 1
    assert "unknown key distill.max_atempts; did you mean 'max_attempts'?" in result.stderr
    assert "Traceback" not in result.stderr


def test_it_looks_on_while_a_run_works(copy: Copy) -> None:
    lock = copy.folder / ".snakemake/sourcewise/lock"
    with lock.open("w") as file:
        file.write("pid 1, since 2026-01-01 00:00:00")
    shown = copy.call(f"flock {lock} sourcewise status")
    assert "a run works here: pid 1, since 2026-01-01 00:00:00" in shown


def test_a_run_asks_exactly_what_was_foretold(copy: Copy) -> None:
    other = copy.twin(copy.folder.with_name("status-asked"))
    other.edit("max_attempts: 2", "max_attempts: 3")
    status, before = _status(other, 3), _answers(other)
    assert ("param", "distill.max_attempts", "changed", "2", "3") in _why(status)
    teacher = _calls(status, "terse")
    assert teacher["exact"]
    assert teacher["calls"] > 0
    other.call("snakemake --cores 2")
    assert _answers(other)["distill/terse"] - before["distill/terse"] == teacher["calls"]
    student = _answers(other)["benchmarks/unverified"] - before["benchmarks/unverified"]
    assert student <= _calls(status, "unverified")["calls"]
    assert _status(other, 0)["dvc"] == {}
