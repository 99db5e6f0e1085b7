"""Runs that are killed in the middle, in several ways, and what has to hold afterwards."""

import contextlib
import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

import psutil

from served import answered, ledger, results
from teacher_server import TeacherServer
from working_copy import Copy

BUSY = "another run works in this copy"
# Seconds after which a run is killed at the latest: a whole one takes several times as long.
LONGEST = 14.0


@dataclass
class Run:
    """A tool at work in a copy, in a process group of its own; its words go to `said`."""

    process: subprocess.Popen[bytes]
    said: IO[bytes]

    @classmethod
    def start(cls, copy: Copy, command: str) -> "Run":
        # Not in the copy: its disk may be full.
        said = tempfile.TemporaryFile()  # noqa: SIM115
        process = subprocess.Popen(
            command.split(),
            cwd=copy.folder,
            env=copy.environment(),
            start_new_session=True,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        return cls(process, said)

    def family(self) -> list[psutil.Process]:
        """The processes that descend from the tool."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def running(self, *words: str) -> list[psutil.Process]:
        """The descendants whose command line holds all `words`."""
        found = []
        for process in self.family():
            try:
                line = process.cmdline()
            except psutil.NoSuchProcess:
                continue
            if all(word in line for word in words):
                found.append(process)
        return found

    def await_(self, sign: Callable[[], object], seconds: float = 900) -> bool:
        """Waits for a sign; false where the run ended before."""
        for _ in range(int(seconds / 0.02)):
            if sign():
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.02)
        raise AssertionError(f"no sign within {seconds} s\n{self.words()}")

    def kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kill_main(self) -> None:
        self.process.kill()
        self.process.wait()

    def words(self) -> str:
        """The last of what the tool and its jobs said; they may go on writing."""
        file = self.said.fileno()
        size = os.fstat(file).st_size
        return os.pread(file, 6000, max(0, size - 6000)).decode(errors="replace")


def jobs(run: Run, *stage: str) -> list[psutil.Process]:
    """The jobs at work, or those of a stage."""
    return run.running("-m", "sourcewise", *stage)


def kill_a_job(run: Run, chance: random.Random) -> bool:
    """Kills one job and lets the tool end by itself, as it must, with an error."""
    if not run.await_(lambda: jobs(run)):
        return False
    for process in jobs(run)[:1] if chance.random() < 0.5 else jobs(run)[-1:]:
        process.kill()
    return run.process.wait(300) != 0


def kill_in_commit(run: Run, chance: random.Random) -> bool:
    """Kills everything while DVC takes the results in."""
    if not run.await_(lambda: run.running("commit")):
        return False
    time.sleep(chance.uniform(0, 2))
    run.kill_group()
    return True


def kill_all(run: Run, chance: random.Random) -> bool:
    """Kills the tool with all its jobs."""
    time.sleep(chance.uniform(0.5, LONGEST))
    alive = run.process.poll() is None
    run.kill_group()
    return alive


def kill_main(run: Run, chance: random.Random) -> bool:
    """Kills the tool alone; its jobs are orphans that go on writing."""
    time.sleep(chance.uniform(0.5, LONGEST))
    alive = run.process.poll() is None
    run.kill_main()
    return alive


WAYS = (kill_all, kill_all, kill_main, kill_main, kill_a_job)


class Chain:
    """One copy, killed again and again until it is left in peace."""

    def __init__(self, copy: Copy, server: TeacherServer) -> None:
        self.copy, self.server = copy, server
        self.history: list[str] = []

    def start(self, command: str) -> Run:
        self.asked_before = len(self.server.requests)
        self.held = answered(self.copy)
        return Run.start(self.copy, command)

    def check(self) -> None:
        """Nothing that the ledger held when the run started was asked again or stands there twice."""
        again = self.held.intersection(self.server.requests[self.asked_before :])
        assert not again, f"{len(again)} answers asked again after {self.history}"
        twice = [key for key, n in ledger(self.copy).items() if n > 1]
        assert not twice, f"{len(twice)} answers twice in the ledger after {self.history}"

    def disturb(self, command: str, chance: random.Random) -> bool:
        """A run that is killed in one of the ways; false where it ended before."""
        way = chance.choice(WAYS)
        run = self.start(command)
        killed = way(run, chance)
        self.history.append(f"{command}: {way.__name__}" + ("" if killed else " (too late)"))
        self.check()
        return killed

    def finish(self, command: str) -> None:
        """A run that nobody disturbs; where a killed tool's Snakemake still works it is waited for."""
        for _ in range(60):
            run = self.start(command)
            code = run.process.wait(600)
            self.check()
            if BUSY not in run.words():
                break
            time.sleep(2)
        assert code == 0, f"after {self.history}, {command} fails:\n{run.words()}"

    def compare(self, undisturbed: dict[str, str]) -> None:
        found = results(self.copy)
        assert found.keys() == undisturbed.keys(), self.history
        other = [file for file, digest in found.items() if digest != undisturbed[file]]
        assert not other, f"{other} differ after {self.history}"
        assert self.copy.planned() == {}, self.history
        assert "up to date" in self.copy.call("dvc status"), self.history
