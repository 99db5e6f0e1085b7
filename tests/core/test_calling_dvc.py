"""What a killed DVC left in halves is mended, and a call of ours never leaves halves."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.repo import Repo

from sourcewise.dag import calling_dvc
from sourcewise.dag.calling_dvc import KEPT, LOCK_FILE, TABLE, call, mend

STAGES = """
stages:
  one:
    cmd: cp params.yaml one
    params: [number, table]
    outs: [one]
  two:
    cmd: mkdir -p two && cp one two/file
    deps: [one]
    outs: [two]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of two stages, made once by DVC."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "dvc.yaml").write_text(STAGES)
    (folder / "params.yaml").write_text("number: 1\ntable: {a: 1, b: [2, 3]}\n")
    dvc = [sys.executable, "-m", "dvc"]
    for command in (["init", "--no-scm", "-q"], ["repro", "-q"]):
        subprocess.run([*dvc, *command], cwd=folder, check=True)
    (folder / KEPT).parent.mkdir(parents=True)
    return folder


@pytest.fixture
def repository(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, as DVC left it, to stand in."""
    monkeypatch.chdir(made)
    monkeypatch.setenv("PYTHONPATH", str(Path(calling_dvc.__file__).parents[2]))
    monkeypatch.setattr(calling_dvc, "PAUSES", (0.0,))
    return made


def test_a_dvc_lock_cut_anywhere_can_be_read_after_mending(repository: Path) -> None:
    whole = LOCK_FILE.read_text()
    mend()
    assert KEPT.read_text() == whole
    restored = 0
    for end in range(len(whole)):
        KEPT.write_text(whole)
        LOCK_FILE.write_text(whole[:end])
        mend()
        restored += LOCK_FILE.read_text() == whole
        if whole[:end].endswith("\n") or end % 40 == 0:
            Repo().status()
    assert restored > len(whole) * 0.9
    LOCK_FILE.write_text(whole)


def test_without_a_copy_of_dvc_lock_the_remedy_is_named(repository: Path) -> None:
    whole = LOCK_FILE.read_text()
    KEPT.unlink(missing_ok=True)
    LOCK_FILE.write_text(whole[:100])
    with pytest.raises(RuntimeError, match=r"dvc\.lock cannot be read.*`git checkout dvc\.lock`"):
        mend()
    LOCK_FILE.write_text(whole)


def test_a_table_of_locks_cut_short_is_removed_and_a_whole_one_stays(repository: Path) -> None:
    TABLE.write_text('{"write": {}, "read": {}}')
    assert mend() == []
    assert TABLE.exists()
    TABLE.write_text('{"write": {"one')
    assert mend() == [".dvc/tmp/rwlock was cut short by a kill: removed"]
    assert "up to date" in call("status")


def test_a_call_puts_a_new_dvc_lock_in_the_place_of_the_old_one(repository: Path) -> None:
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("number: 1", "number: 2"))
    with LOCK_FILE.open() as old:
        before = old.read()
        call("commit", "--quiet", "--force")
        old.seek(0)
        assert old.read() == before, "somebody who reads it meanwhile reads a whole file"
    assert "number: 2" in LOCK_FILE.read_text()
    assert list(KEPT.parent.glob("*partial*")) == []


def test_what_dvc_says_when_it_refuses_is_passed_on(repository: Path) -> None:
    with pytest.raises(RuntimeError, match=r"did not take it in: ERROR: .*three"):
        call("commit", "three")


def test_several_stages_are_written_at_once(repository: Path) -> None:
    Path("one").write_text("other\n")
    Path("two/file").write_text("other\n")
    stale = json.loads(call("status", "--json", "one", "two"))
    assert set(stale) == {"one", "two"}
    assert call("commit", "--force", "one", "two").count("Updating lock file") == 1
    assert json.loads(call("status", "--json")) == {}


def test_a_stage_that_nobody_knows_is_an_error_and_nothing_is_written(repository: Path) -> None:
    before = LOCK_FILE.read_text()
    Path("one").write_text("third\n")
    with pytest.raises(RuntimeError, match="three"):
        call("commit", "--force", "one", "three")
    assert LOCK_FILE.read_text() == before
