"""The fleet: starts a teacher's replicas while jobs want it, again where they end, and ends them after.

It waits for a command (a run of Snakemake) or for a signal. Replicas run on this machine or as Slurm jobs.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sourcewise.lock import FileLock
from sourcewise.services import registry, slurm
from sourcewise.services.config import Service
from sourcewise.services.registry import BEAT_SECONDS, FOLDER, Fleet, Served, Watch, last_wanted
from sourcewise.services.slurm import Job

TICK_SECONDS, LOOK_SECONDS, GRACE_SECONDS = 1.0, 10.0, 45.0
# Until a start is tried again that was refused for now.
RETRY_SECONDS = 20.0
# A replica that gave up this often takes its teacher along.
PATIENCE = 2
LOGS = Path("logs/services")


@dataclass
class _Here:
    """A replica on this machine."""

    process: subprocess.Popen[bytes]

    @property
    def ended(self) -> int | None:
        return self.process.poll()

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()


@dataclass
class _Teacher:
    service: Service
    served: Served
    replicas: dict[int, _Here | Job] = field(default_factory=dict)
    ends: int = 0
    has_started: bool = False
    starts_after: float = 0.0
    wanted_at: Watch = field(default_factory=Watch)

    def is_wanted(self, teacher: str, folder: Path) -> bool:
        """Whether a job asked for it while this fleet looked on, and not too long ago."""
        last = last_wanted(teacher, folder)
        return last is not None and self.wanted_at.seconds(last) < self.service.idle_seconds


class Supervisor:
    """Serves teachers until `close`; one in a working copy."""

    def __init__(
        self, services: Mapping[str, Service], teachers: Mapping[str, Served], folder: Path = FOLDER
    ) -> None:
        """Raises RuntimeError where another fleet serves in this working copy."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock = FileLock(folder.with_name("services.lock"))
        self._lock.acquire()
        # What a dead fleet left; its replicas end by themselves when they see another fleet.
        for left in ("replicas", "wanted"):
            shutil.rmtree(folder / left, ignore_errors=True)
        self._fleet = Fleet(secrets.token_hex(8), 0, secrets.token_urlsafe(24), dict(teachers))
        self._teachers = {
            name: _Teacher(service, teachers[name]) for name, service in services.items()
        }
        self._looked_at = self._beat_at = 0.0
        self._write()
        LOGS.mkdir(parents=True, exist_ok=True)

    def tick(self) -> None:
        """Looks at what is wanted and what runs; to be called again and again."""
        self._look_at_jobs()
        before = self._fleet.teachers
        for name, teacher in self._teachers.items():
            self._forget_ended(name, teacher)
            wanted = teacher.served.failed is None and teacher.is_wanted(name, self._folder)
            teacher.served = replace(teacher.served, wanted=wanted)
        self._fleet = replace(
            self._fleet, teachers={name: one.served for name, one in self._teachers.items()}
        )
        if before != self._fleet.teachers or time.monotonic() - self._beat_at > BEAT_SECONDS:
            self._write()
        for name, teacher in self._teachers.items():
            if teacher.served.wanted and time.monotonic() >= teacher.starts_after:
                self._start_missing(name, teacher)

    def close(self) -> None:
        """Lets the replicas end, ends those that do not, and leaves nothing behind."""
        ending = replace(
            self._fleet,
            teachers={
                name: replace(one, wanted=False) for name, one in self._fleet.teachers.items()
            },
        )
        ending.write(self._folder)
        slurm.cancel_waiting(self._jobs())
        everyone = [one for teacher in self._teachers.values() for one in teacher.replicas.values()]
        patience = time.monotonic() + GRACE_SECONDS
        while any(one.ended is None for one in everyone) and time.monotonic() < patience:
            time.sleep(0.2)
            self._look_at_jobs(TICK_SECONDS)
        for one in everyone:
            if one.ended is None:
                one.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.release()

    def _write(self) -> None:
        self._fleet = replace(self._fleet, beat=self._fleet.beat + 1)
        self._fleet.write(self._folder)
        self._beat_at = time.monotonic()

    def _forget_ended(self, name: str, teacher: _Teacher) -> None:
        for number, one in list(teacher.replicas.items()):
            if one.ended is None:
                continue
            del teacher.replicas[number]
            # One that was killed has left its address, where jobs would go on asking.
            registry.withdraw(name, number, self._folder)
            if one.ended == 0:
                teacher.ends = 0
                continue
            teacher.ends += 1
            log = LOGS / f"{name}-{number}.log"
            print(f"services: {name}-{number} ended with {one.ended}, see {log}", file=sys.stderr)
            if teacher.ends >= PATIENCE * teacher.service.replicas:
                why = f"its replicas do not stay up: {log} says why"
                teacher.served = replace(teacher.served, failed=why)

    def _start_missing(self, name: str, teacher: _Teacher) -> None:
        for number in sorted(set(range(teacher.service.replicas)) - teacher.replicas.keys()):
            try:
                teacher.replicas[number] = self._start(name, teacher.service, number)
                teacher.has_started = True
            except (OSError, RuntimeError) as error:
                print(f"services: {error}", file=sys.stderr)
                if teacher.has_started or isinstance(error, slurm.AwayError):
                    # What was taken once is right: Slurm is away, or a limit of the user's is reached.
                    teacher.starts_after = time.monotonic() + RETRY_SECONDS
                else:
                    # The jobs that want it are told at the next tick.
                    teacher.served = replace(teacher.served, failed=str(error))
                return

    def _start(self, name: str, service: Service, number: int) -> _Here | Job:
        """Starts a replica; raises OSError or RuntimeError where that is refused."""
        log = LOGS / f"{name}-{number}.log"
        command = [sys.executable, "-m", "sourcewise", "serve", "--replica", f"{name}-{number}"]
        command += ["--fleet", self._fleet.fleet, "--settings", service.model_dump_json()]
        print(f"services: starting {name}-{number}, log {log}", file=sys.stderr)
        if service.slurm is not None:
            return slurm.submit(
                f"{name}-{number}",
                command,
                options=service.slurm,
                drain_seconds=service.drain_seconds,
                log=log,
            )
        with log.open("ab") as file:
            process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )
        return _Here(process)

    def _jobs(self) -> list[Job]:
        """The replicas that wait or run at Slurm."""
        everyone = (one for teacher in self._teachers.values() for one in teacher.replicas.values())
        return [one for one in everyone if isinstance(one, Job) and one.ended is None]

    def _look_at_jobs(self, seconds: float = LOOK_SECONDS) -> None:
        jobs = self._jobs()
        if jobs and time.monotonic() - self._looked_at >= seconds:
            slurm.look(jobs)
            self._looked_at = time.monotonic()
