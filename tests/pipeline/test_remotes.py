"""Sharing through DVC remotes: what a clone, an older commit and a torn pull make of the two tools."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from remotes import (
    add_remote,
    assert_nothing_to_do,
    clone,
    digest,
    pulled,
    stale_stages,
    stored,
)
from ssh_server import running
from working_copy import Copy

REPORT = "data/report/index.html"
# Edits on three branches.
EDITS = {
    "report": ("title: The test preset", "title: Another title"),
    "filter": ("max_count: 20", "max_count: 19"),
    "teacher": ("{temperature: 1.0, top_p: 1.0", "{temperature: 0.9, top_p: 1.0"),
}
# What another number of training steps makes stale: the untrained base has none.
RETRAINED = {"train": 1, "sample": 1, "grade": 1, "report": 1}


@pytest.fixture(scope="module")
def published(made: Copy, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A finished, committed copy, pushed to the folder `store` beside it."""
    copy = made.twin(tmp_path_factory.mktemp("published") / "original")
    copy.commit("run")
    add_remote(copy, str(copy.folder.parent / "store"))
    copy.call("dvc push -q")
    return copy


@pytest.fixture(scope="module")
def store(published: Copy) -> Path:
    """The remote that the published copy was pushed to."""
    return published.folder.parent / "store"


@pytest.fixture(scope="module")
def two_revisions(published: Copy, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy whose last two commits are runs that differ in a student's training steps."""
    copy = published.twin(tmp_path_factory.mktemp("revisions") / "copy")
    copy.edit("max_steps: 4", "max_steps: 5")
    copy.call("snakemake --cores 2")
    copy.commit("more steps")
    copy.call("dvc push -q")
    return copy


def test_a_clone_that_pulled_has_nothing_to_do_in_either_tool(
    published: Copy, store: Path, tmp_path: Path
) -> None:
    copy = pulled(published, tmp_path / "clone", store)
    assert_nothing_to_do(copy)
    assert "Running stage" not in copy.call("dvc repro")
    assert (copy.folder / REPORT).read_bytes() == (published.folder / REPORT).read_bytes()


@pytest.mark.parametrize("branch", EDITS)
def test_an_edit_before_the_first_run_of_a_clone_reruns_what_it_reruns_at_home(
    published: Copy, store: Path, tmp_path: Path, branch: str
) -> None:
    copy = pulled(published, tmp_path / "clone", store)
    home = published.twin(tmp_path / "home")
    for edited in (copy, home):
        edited.edit(*EDITS[branch])
    plan = copy.planned()
    assert plan == home.planned()
    assert plan["report"] == 1
    assert plan.keys().isdisjoint({"pretrain", "collect"})
    assert stale_stages(copy) == stale_stages(home)


def test_the_first_command_in_a_clone_may_be_repro_after_an_edit(
    published: Copy, store: Path, tmp_path: Path
) -> None:
    copy = pulled(published, tmp_path / "clone", store)
    copy.edit(*EDITS["report"])
    assert re.findall(r"Running stage '(.*?)'", copy.call("dvc repro")) == ["report"]
    assert "Another title" in (copy.folder / REPORT).read_text()
    assert_nothing_to_do(copy)


def test_an_older_commit_and_the_way_back_have_nothing_to_do(
    two_revisions: Copy, tmp_path: Path
) -> None:
    copy = two_revisions.twin(tmp_path / "copy")
    copy.call("git checkout -q HEAD~1 && dvc checkout -q")
    # Nothing has read the Snakefile since: the edit meets records of the newer run.
    copy.edit(*EDITS["report"])
    assert copy.planned() == {"report": 1}
    assert stale_stages(copy) == {"report"}
    copy.call("git checkout -q params.yaml")
    assert_nothing_to_do(copy)
    copy.call("git checkout -q - && dvc checkout -q")
    assert_nothing_to_do(copy)
    assert "Running stage" not in copy.call("dvc repro")


def test_sidecars_of_another_revision_never_make_its_data_pass_for_this_one(
    two_revisions: Copy, store: Path, tmp_path: Path
) -> None:
    copy = pulled(two_revisions, tmp_path / "clone", store)
    # Weights of both revisions have the same size: only their contents tell them apart.
    copy.call("git checkout -q HEAD~1 && dvc pull -q data/prov/*.jsonl.gz")
    told = copy.call("snakemake -n --quiet rules")
    lines = [line for line in told.splitlines() if "data/prov/train@unverified.jsonl.gz" in line]
    assert len(lines) == 1, told
    assert "students/unverified/" in lines[0]
    # A second reading does not take for known what the first one refused.
    assert copy.planned() == RETRAINED
    assert "train@unverified" in stale_stages(copy)
    copy.call("dvc pull -q")
    assert_nothing_to_do(copy)


def test_a_clone_over_ssh_works_and_what_it_makes_comes_home(
    published: Copy, tmp_path: Path
) -> None:
    home = published.twin(tmp_path / "home")
    with running(tmp_path / "ssh") as server:
        url = f"ssh://127.0.0.1:{server.port}{tmp_path / 'store'}"
        options = {"user": server.user, "keyfile": server.keyfile, "verify": "true"}
        add_remote(home, url, **options)
        home.call("dvc push -q")
        copy = pulled(home, tmp_path / "clone", url, **options)
        assert server.logins() >= 2
        assert_nothing_to_do(copy)

        copy.edit(*EDITS["report"])
        copy.call("snakemake --cores 2")
        copy.commit("another title")
        copy.call("dvc push -q")
        home.call(f"git pull -q {copy.folder} && dvc pull -q")
        assert "Another title" in (home.folder / REPORT).read_text()
        assert_nothing_to_do(home)
    # The server is gone: nothing hangs, and DVC says so.
    assert "Connect call failed" in copy.refused("dvc pull")


def test_source_files_that_were_added_to_dvc_travel_with_the_results(
    published: Copy, store: Path, tmp_path: Path
) -> None:
    home = published.twin(tmp_path / "home")
    questions = Path("data/raw/own/questions.jsonl")
    (home.folder / questions).parent.mkdir()
    (home.folder / questions).write_text('{"prompt": "1 + 1"}\n')
    home.call("dvc add -q data/raw/own")
    home.call("snakemake --cores 2")
    assert_nothing_to_do(home)
    home.commit("questions")
    home.call("dvc push -q")
    copy = pulled(home, tmp_path / "clone", store)
    assert (copy.folder / questions).read_text() == '{"prompt": "1 + 1"}\n'
    assert_nothing_to_do(copy)


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(".dvc/cache/files/md5/*/*", id="while it fetches"),
        pytest.param("data/benchmark*/*/*", id="while it writes files"),
    ],
)
def test_a_killed_pull_never_passes_for_complete_and_the_next_one_repairs_it(
    published: Copy, store: Path, tmp_path: Path, begun: str
) -> None:
    # A busy machine may let a pull end before the signal comes.
    for attempt in range(5):
        copy = clone(published, tmp_path / f"clone-{attempt}", store)
        kill_pull(copy, begun)
        if made_files(copy) != made_files(published):
            break
    assert made_files(copy) < made_files(published)
    assert copy.planned()
    assert stale_stages(copy)
    copy.call("dvc pull -q")
    assert_nothing_to_do(copy)


def kill_pull(copy: Copy, begun: str) -> None:
    """Starts `dvc pull` and kills it as soon as files match a pattern."""
    pull = subprocess.Popen(
        ["dvc", "pull", "-q"], cwd=copy.folder, env=copy.environment(), start_new_session=True
    )
    while not list(copy.folder.glob(begun)):
        assert pull.poll() is None
        time.sleep(0.001)
    os.killpg(pull.pid, signal.SIGKILL)
    pull.wait()


def made_files(copy: Copy) -> set[Path]:
    """The files that DVC keeps, as far as they are there; not what a killed pull had not named yet."""
    found = {path for top in ("data", "models") for path in (copy.folder / top).rglob("[!.]*")}
    return {path.relative_to(copy.folder) for path in found if path.is_file()}


@pytest.mark.parametrize(
    ("missing", "rules"),
    [(REPORT, {"report"}), ("data/prov/dataset@terse.jsonl.gz", {"select", "filter", "report"})],
)
def test_what_a_remote_lacks_is_named_and_stale_until_a_complete_pull(
    published: Copy, store: Path, tmp_path: Path, missing: str, rules: set[str]
) -> None:
    copy = clone(published, tmp_path / "clone", store)
    with stored(published, store, missing) as entry:
        entry.unlink()
        assert missing in copy.refused("dvc pull")
    assert copy.planned().keys() == rules
    assert stale_stages(copy)
    copy.call("dvc pull -q")
    assert_nothing_to_do(copy)


def test_a_folder_that_lacks_a_file_on_the_remote_stops_the_pull(
    published: Copy, store: Path, tmp_path: Path
) -> None:
    copy = clone(published, tmp_path / "clone", store)
    weights = "models/students/unverified/model.safetensors"
    with stored(published, store, weights) as entry:
        entry.unlink()
        assert digest(published, weights) in copy.refused("dvc pull")
    assert copy.planned()["train"] >= 1
    assert stale_stages(copy) >= {"train@unverified"}
    copy.call("dvc pull -q")
    assert_nothing_to_do(copy)


def test_a_remote_that_is_verified_hands_out_no_damaged_file(
    published: Copy, store: Path, tmp_path: Path
) -> None:
    copy = clone(published, tmp_path / "clone", store, verify="true")
    with stored(published, store, REPORT) as entry:
        entry.write_bytes(entry.read_bytes().replace(b"The test preset", b"The best preset"))
        # DVC trusts what is read-only and of the right name, unless it is told to verify.
        entry.chmod(0o444)
        assert REPORT in copy.refused("dvc pull")
    assert copy.planned() == {"report": 1}
    copy.call("dvc pull -q")
    assert_nothing_to_do(copy)


@pytest.mark.parametrize(
    "lost",
    ["models/students/unverified/model.safetensors", "data/distill/terse/ledger"],
    ids=["weights", "ledger"],
)
def test_what_a_torn_folder_lacks_is_named_and_never_committed_as_gone(
    published: Copy, tmp_path: Path, lost: str
) -> None:
    copy = published.twin(tmp_path / "copy")
    files = [f for f in made_files(copy) if f.is_relative_to(lost)]
    for file in files:
        (copy.folder / file).unlink()
    # Either it is made again or it is named: "nothing to do" alone would be wrong.
    assert copy.planned() or lost in copy.call("snakemake -n --quiet rules")
    subprocess.run(
        "snakemake --cores 2", shell=True, cwd=copy.folder, env=copy.environment(), check=False
    )
    for file in files:
        assert digest(copy, str(file))
