"""Two working copies on one Slurm, with one DVC remote: neither disturbs the other; what is said of them."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import Cluster
from disturbed import Run
from remotes import add_remote, clone
from served import answered, results
from sourcewise.commands import account
from sourcewise.forecasting import StageActual
from sourcewise.params import root
from submitted import FIRST_ROUND, ON_SLURM, change_profile, digest, end, jobs, kill_snakemake
from teacher_server import TeacherServer, serving
from working_copy import Copy

STAGE = "distill@words"
COMMAND = f"{ON_SLURM} -- {STAGE}"
SHIPPED = "workflow/profiles/slurm/config.yaml"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[TeacherServer]:
    """The teacher of both, slow enough that their first jobs overlap."""
    with serving(delay=2.0) as running:
        monkeypatch.setenv("SOURCEWISE_SERVER_URLS", running.url)
        monkeypatch.setenv("SOURCEWISE_SERVER_CONCURRENCY", "1")
        yield running


def doctor(copy: Copy) -> list[tuple[str, str, str]]:
    """What `sourcewise doctor` says of Slurm: state, what it saw, what mends it."""
    # Its other checks compile and load models.
    program = (
        "import json; from sourcewise.doctor import cluster; print(json.dumps(cluster.slurm()))"
    )
    found = json.loads(copy.call(f"python -c '{program}'"))
    return [(state, seen, fix) for _, state, seen, fix in found]


def test_doctor_knows_how_this_slurm_tells_of_ended_jobs(
    corpus: Copy, cluster: Cluster, tmp_path: Path
) -> None:
    copy = corpus.twin(tmp_path / "copy")
    partitions = ("ok", "sourcewise: cpu (2 nodes, gpu:2), gpu (2 nodes, gpu:2)", "")
    by_sacct = doctor(copy)
    change_profile(copy, "status_command: sacct", "status_command: squeue", SHIPPED)
    by_squeue = doctor(copy)
    ends = "jobs' ends by {}, MinJobAge 3600 s".format
    assert by_squeue == [partitions, ("ok", ends("squeue"), "")]
    if cluster.accounting:
        assert by_sacct == [partitions, ("ok", ends("sacct (slurmdbd)"), "")]
    else:
        assert [state for state, *_ in by_sacct] == ["ok", "problem"]
        assert by_sacct[1][2] == f"status_command: squeue in {SHIPPED}"
    change_profile(copy, "gpu_partition: gpu", "gpu_partition: a100", SHIPPED)
    *_, (state, seen, _) = doctor(copy)
    assert (state, "a100" in seen) == ("problem", True)


def test_where_slurm_keeps_no_accounts_the_logs_tell(
    alone: Copy, cluster: Cluster, tmp_path: Path
) -> None:
    copy = alone.twin(tmp_path / "copy")
    said = copy.call("python -m sourcewise account")
    assert "by the last finished run of each job" in said
    assert ("Slurm accounting storage is disabled" in said) == (not cluster.accounting)


@pytest.mark.usefixtures("accounts")
def test_a_run_that_is_killed_and_resumed_leaves_the_jobs_of_another_copy_alone(
    corpus: Copy, alone: Copy, server: TeacherServer, tmp_path: Path
) -> None:
    ours, theirs = (corpus.twin(tmp_path / name) for name in ("ours", "theirs"))
    runs = [Run.start(copy, COMMAND) for copy in (ours, theirs)]
    for copy, run in zip((ours, theirs), runs, strict=True):
        assert run.await_(lambda copy=copy: answered(copy)), run.words()
    # Nobody's round ends while the test looks.
    server.delay = 30.0
    kill_snakemake(ours)
    runs[0].process.wait()
    orphans = [job.number for job in jobs(ours, "generate", state="RUNNING")]
    at_work = [job.number for job in jobs(theirs, "generate", state="RUNNING")]
    assert orphans
    assert at_work
    ((_, seen, fix),) = [one for one in doctor(ours) if one[0] == "warning"]
    assert "of an earlier run" in seen
    assert set(orphans) <= set(fix.split())
    assert not set(at_work) & set(fix.split())
    runs[0] = Run.start(ours, COMMAND)
    assert runs[0].await_(lambda: set(orphans) <= cancelled(ours)), runs[0].words()
    server.delay = 0.0
    for run in runs:
        end(run)
    assert {job.state for job in jobs(theirs)} == {"COMPLETED"}
    found = results(ours)
    assert found == results(theirs)
    assert {digest(ours, file) for file in FIRST_ROUND} == {digest(alone, f) for f in FIRST_ROUND}
    _accounts(ours, failed=len(cancelled(ours)))
    _accounts(theirs, failed=0)
    _share(ours, theirs, found, tmp_path)


def cancelled(copy: Copy) -> set[str]:
    return {job.number for job in jobs(copy, state="CANCELLED")}


def _accounts(copy: Copy, *, failed: int) -> None:
    """What Slurm's accounts say of a copy is what its jobs were."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(copy.folder)
        # The last record may be on its way to the database.
        for _ in range(60):
            actual = account.collected(root.load(Path("params.yaml")))
            if sum(stage.jobs for stage in actual.stages.values()) >= len(jobs(copy)):
                break
            time.sleep(0.5)
    assert actual.source == "slurm"
    words = {"generation": "generate", "verification": "verify", "perplexity": "perplexity"}
    submitted = Counter(
        next((stage for stage, word in words.items() if word in job.comment), "other")
        for job in jobs(copy)
    )
    assert {stage: one.jobs for stage, one in actual.stages.items()} == submitted
    assert words.keys() <= submitted.keys()
    assert sum(one.failed for one in actual.stages.values()) == failed
    for name, one in actual.stages.items():
        assert isinstance(one, StageActual)
        # One GPU each, and no GPU where nobody needs one.
        held = one.hours if name == "perplexity" else 0.0
        assert one.gpu_hours == pytest.approx(held)
        assert one.cpu_hours is not None
        assert one.cpu_hours >= one.hours > 0


def _share(ours: Copy, theirs: Copy, found: dict[str, str], folder: Path) -> None:
    """Both push to one remote at the same time; a clone has what both have."""
    store = folder / "store"
    for copy in (ours, theirs):
        add_remote(copy, str(store))
        copy.commit("results")
    pushes = [Run.start(copy, f"dvc push {STAGE}") for copy in (ours, theirs)]
    for push in pushes:
        end(push)
    fresh = clone(ours, folder / "clone", store)
    fresh.call(f"dvc pull {STAGE}")
    pushed = {file: mark for file, mark in found.items() if file.startswith("data/distill/")}
    assert results(fresh) == pushed != {}
