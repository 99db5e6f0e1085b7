"""Whatever kills a run, the next one goes on: no answer is asked twice, and the files come out the same."""

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from disturbed import BUSY, Chain, Run, jobs, kill_in_commit
from served import ATTEMPTS, SEED, TEACHER, answered, ledger, prompts, results, served
from teacher_server import TeacherServer, loop, serving
from working_copy import Copy

SNAKEMAKE, REPRO, DISTILL = "snakemake --cores 2", "dvc repro", "distill@words"
KILLS, IN_A_CHAIN = 20, 6
DELAY = 0.15

pytestmark = pytest.mark.timeout(2400)


@pytest.fixture(scope="module")
def server() -> Iterator[TeacherServer]:
    """The teacher; two requests at a time, so that kills hit rounds in the middle."""
    with pytest.MonkeyPatch.context() as patch, serving(delay=DELAY) as running:
        patch.setenv("SOURCEWISE_SERVER_URLS", running.url)
        patch.setenv("SOURCEWISE_SERVER_CONCURRENCY", "2")
        yield running


@pytest.fixture(scope="module")
def undisturbed(server: TeacherServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The files of a run that nothing disturbed."""
    copy = served(tmp_path_factory.mktemp("undisturbed") / "copy")
    copy.call(SNAKEMAKE)
    return results(copy)


@pytest.mark.campaign
def test_twenty_kills_at_random_change_nothing_and_ask_nothing_twice(
    server: TeacherServer, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    chance = random.Random(20)
    killed = number = 0
    while killed < KILLS:
        chain = Chain(served(tmp_path / f"chain-{number}"), server)
        for _ in range(IN_A_CHAIN):
            killed += chain.disturb(chance.choice((SNAKEMAKE, REPRO)), chance)
        chain.finish((SNAKEMAKE, REPRO)[number % 2])
        chain.compare(undisturbed)
        print(f"chain {number}: {chain.history}")
        shutil.rmtree(chain.copy.folder)
        number += 1


@pytest.mark.campaign
@pytest.mark.parametrize("command", [SNAKEMAKE, REPRO])
def test_a_run_killed_while_dvc_takes_its_results_in_is_settled_by_the_next(
    server: TeacherServer, undisturbed: dict[str, str], tmp_path: Path, command: str
) -> None:
    chain = Chain(served(tmp_path / "copy"), server)
    run = chain.start(SNAKEMAKE)
    assert kill_in_commit(run, random.Random(command)), run.words()
    asked = len(server.requests)
    chain.finish(command)
    chain.compare(undisturbed)
    assert len(server.requests) == asked


@pytest.fixture(scope="module")
def unmade(server: TeacherServer, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy with a corpus and a scorer, in which no teacher was asked yet."""
    copy = served(tmp_path_factory.mktemp("unmade") / "copy")
    copy.call("snakemake --cores 2 -- queries model@base")
    return copy


def test_jobs_that_outlive_a_killed_snakemake_do_not_stop_the_next_run(
    server: TeacherServer, unmade: Copy, tmp_path: Path
) -> None:
    chain = Chain(unmade.twin(tmp_path / "copy"), server)
    run = chain.start(f"{SNAKEMAKE} -- {DISTILL}")
    assert run.await_(lambda: jobs(run, "generate")), run.words()
    server.delay = 1.0
    assert run.await_(lambda: ledger(chain.copy)), run.words()
    orphans = jobs(run, "generate")
    run.kill_main()
    chain.check()
    assert any(orphan.is_running() for orphan in orphans)
    resumed = chain.start(f"{SNAKEMAKE} -- {DISTILL}")
    assert resumed.await_(lambda: jobs(resumed, "generate")), resumed.words()
    assert not any(orphan.is_running() for orphan in orphans)
    server.delay = DELAY
    assert resumed.process.wait(300) == 0, resumed.words()
    chain.check()
    assert answered(chain.copy) == loop(TEACHER, prompts(), SEED, 0.9, ATTEMPTS)
    assert "Nothing to be done" in chain.copy.call(f"snakemake -n -- {DISTILL}")


def look(copy: Copy, command: str) -> tuple[int, str]:
    """Exit code and words of a command that has to be done within seconds."""
    result = subprocess.run(
        command.split(),
        cwd=copy.folder,
        env=copy.environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    return result.returncode, result.stdout + result.stderr


@pytest.mark.parametrize("first", [SNAKEMAKE, pytest.param(REPRO, marks=pytest.mark.campaign)])
def test_a_second_run_is_refused_at_once_and_whoever_only_looks_is_served(
    server: TeacherServer, unmade: Copy, tmp_path: Path, first: str
) -> None:
    copy = unmade.twin(tmp_path / "copy")
    run = Run.start(
        copy, f"{SNAKEMAKE} -- {DISTILL}" if first == SNAKEMAKE else f"dvc repro {DISTILL}"
    )
    assert run.await_(lambda: jobs(run, "generate")), run.words()
    server.delay = 5.0
    lock = (copy.folder / ".snakemake/sourcewise/lock").read_text()
    writers = [run.process.pid, *(process.pid for process in run.family())]
    assert int(lock.split()[1].rstrip(",")) in writers
    # Two `dvc repro` meet before any code of ours runs; DVC then names the first by itself.
    dvcs_own = f"is busy, it is being blocked by:\n  (PID {run.process.pid})"
    for second in (SNAKEMAKE, REPRO):
        code, said = look(copy, second)
        assert code != 0
        assert (dvcs_own if first == second == REPRO else f"{BUSY} ({lock})") in said, said
        assert "Traceback" not in said, said
    assert sum(copy.planned().values()) > 0
    code, said = look(copy, "dvc status")
    assert (code == 0 and "data/distill" in said) if first == SNAKEMAKE else dvcs_own in said, said
    assert run.process.poll() is None
    server.delay = DELAY
    assert run.process.wait(300) == 0, run.words()


@pytest.mark.campaign
@pytest.mark.skipif(os.geteuid() != 0, reason="a disk of its own (tmpfs) needs root")
@pytest.mark.parametrize("free", [0, 1_500_000])
def test_a_full_disk_is_named_and_space_is_all_it_takes(
    server: TeacherServer, undisturbed: dict[str, str], tmp_path: Path, free: int
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], check=True)
    try:
        chain = Chain(served(disk / "copy"), server)
        fill(disk / "filler", free)
        run = chain.start(SNAKEMAKE)
        assert run.process.wait(600) != 0
        chain.check()
        assert "the disk of this working copy is full" in run.words()
        (disk / "filler").unlink()
        chain.finish(SNAKEMAKE)
        chain.compare(undisturbed)
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(file: Path, free: int) -> None:
    """Takes all the space of a disk but `free` bytes."""
    space = os.statvfs(file.parent)
    with file.open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, space.f_bavail * space.f_frsize - free)
