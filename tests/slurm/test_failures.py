"""Whatever happens to a job, its node or Snakemake itself: the files are those of an undisturbed run.

One round of questions at a teacher behind a server, so that a test decides how long a job takes, and sees
that no answer is asked for twice.
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import daemons
from cluster import Cluster
from disturbed import Chain, Run
from served import answered, ledger
from submitted import FIRST_ROUND, ON_SLURM, change_profile, digest, end, jobs, kill_snakemake
from teacher_server import TeacherServer, serving
from working_copy import Copy

SHARD = FIRST_ROUND[0]
ROUND = f"{ON_SLURM} -- {SHARD}"
SLOW, FAST = 1.0, 0.0

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def server() -> Iterator[TeacherServer]:
    """The teacher; one request at a time, so that a job is hit in the middle."""
    with pytest.MonkeyPatch.context() as patch, serving(delay=FAST) as running:
        patch.setenv("SOURCEWISE_SERVER_URLS", running.url)
        patch.setenv("SOURCEWISE_SERVER_CONCURRENCY", "1")
        yield running


@pytest.fixture(scope="module")
def undisturbed(alone: Copy) -> str:
    """The digest of the shard's responses, made on this machine."""
    return digest(alone, SHARD)


@pytest.fixture
def chain(corpus: Copy, server: TeacherServer, tmp_path: Path) -> Iterator[Chain]:
    server.delay = SLOW
    copy = corpus.twin(tmp_path / "copy")
    yield Chain(copy, server)
    # A test that failed leaves a run behind.
    kill_snakemake(copy)


def in_the_middle(chain: Chain, run: Run) -> str:
    """Waits until a job has an answer in the ledger; returns its number."""
    assert run.await_(lambda: ledger(chain.copy)), run.words()
    (job,) = jobs(chain.copy, "generate", state="RUNNING")
    return job.number


def states(chain: Chain) -> list[str]:
    return [job.state for job in jobs(chain.copy, "generate")]


def recovers(chain: Chain, run: Run, undisturbed: str) -> None:
    """The run goes on to the same file; what the ledger held when it was disturbed is not asked again."""
    chain.server.delay = FAST
    end(run)
    chain.check()
    assert digest(chain.copy, SHARD) == undisturbed


def disturbed(chain: Chain, disturb: Callable[[str], object]) -> Run:
    """A run whose job is disturbed in the middle."""
    run = chain.start(ROUND)
    disturb(in_the_middle(chain, run))
    chain.held = answered(chain.copy)
    chain.asked_before = len(chain.server.requests)
    return run


def test_a_cancelled_job_is_tried_again(chain: Chain, undisturbed: str) -> None:
    run = disturbed(chain, lambda job: subprocess.run(["scancel", job], check=True))
    recovers(chain, run, undisturbed)
    assert states(chain) == ["CANCELLED", "COMPLETED"]


@pytest.mark.campaign
def test_a_job_that_is_requeued_in_the_middle_goes_on(chain: Chain, undisturbed: str) -> None:
    run = disturbed(chain, lambda job: subprocess.run(["scontrol", "requeue", job], check=True))
    recovers(chain, run, undisturbed)
    (job,) = jobs(chain.copy, "generate")
    assert job.state == "COMPLETED"
    assert " Restarts=1 " in daemons.call("scontrol", "show", "job", job.number)


def test_a_job_that_takes_too_much_memory_gets_more(chain: Chain, undisturbed: str) -> None:
    change_profile(chain.copy, "memory_mb: 1200", "memory_mb: 150")
    chain.server.delay = FAST
    run = chain.start(ROUND)
    recovers(chain, run, undisturbed)
    *killed, last = states(chain)
    assert killed
    assert set(killed) <= {"FAILED", "OUT_OF_MEMORY", "CANCELLED"}
    assert last == "COMPLETED"


def test_a_node_that_dies_costs_its_jobs_and_nothing_else(
    chain: Chain, cluster: Cluster, undisturbed: str
) -> None:
    dead = []

    def die(job: str) -> None:
        (node,) = {one.node for one in jobs(chain.copy, "generate") if one.number == job}
        dead.append(node)
        cluster.kill_node(node)

    try:
        run = disturbed(chain, die)
        recovers(chain, run, undisturbed)
    finally:
        for node in dead:
            cluster.start_node(node)
    assert states(chain)[-1] == "COMPLETED"


def test_jobs_of_a_killed_snakemake_are_gone_before_the_next_one_submits(
    chain: Chain, undisturbed: str
) -> None:
    run = chain.start(ROUND)
    orphan = in_the_middle(chain, run)
    kill_snakemake(chain.copy)
    run.process.wait()
    assert states(chain) == ["RUNNING"]
    resumed = chain.start(ROUND)
    assert resumed.await_(lambda: len(states(chain)) == 2), resumed.words()
    assert states(chain)[0] == "CANCELLED"
    recovers(chain, resumed, undisturbed)
    assert "cancelled 1 Slurm jobs of a run that was killed" in resumed.words()
    assert orphan not in [job.number for job in jobs(chain.copy, state="RUNNING")]


@pytest.mark.usefixtures("accounts")
def test_a_local_run_ends_the_slurm_jobs_of_a_killed_one_too(
    chain: Chain, undisturbed: str
) -> None:
    run = chain.start(ROUND)
    in_the_middle(chain, run)
    kill_snakemake(chain.copy)
    run.process.wait()
    local = chain.start(f"snakemake --cores 2 -- {SHARD}")
    assert local.await_(lambda: states(chain) == ["CANCELLED"]), local.words()
    recovers(chain, local, undisturbed)


@pytest.mark.usefixtures("accounts")
def test_a_job_that_takes_too_long_gets_more_time(chain: Chain, undisturbed: str) -> None:
    # The teacher of these tests is served.
    change_profile(chain.copy, "asking_minutes: 10", "asking_minutes: 1")
    chain.server.delay = 20.0
    run = chain.start(ROUND)
    assert run.await_(lambda: "TIMEOUT" in states(chain), 300), run.words()
    recovers(chain, run, undisturbed)
    assert states(chain) == ["TIMEOUT", "COMPLETED"]


@pytest.mark.usefixtures("accounts")
def test_a_controller_that_is_away_for_a_while_is_waited_for(
    chain: Chain, cluster: Cluster, undisturbed: str
) -> None:
    run = chain.start(ROUND)
    in_the_middle(chain, run)
    # A job that was submitted seconds ago would be lost with a controller that dies.
    time.sleep(5)
    cluster.stop_controller()
    time.sleep(15)
    assert run.process.poll() is None
    cluster.start_controller()
    recovers(chain, run, undisturbed)
    assert states(chain) == ["COMPLETED"]
