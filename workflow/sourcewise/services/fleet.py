"""The fleet: starts a teacher's replicas while jobs want it, again where they end, and ends them after.

It waits for a command (a run of Snakemake) or for a signal. Replicas run on this machine or as Slurm jobs.
"""

from __future__ import annotations

import contextlib
import secrets
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sourcewise.lock import FileLock
from sourcewise.services.config import Service
from sourcewise.services.registry import BEAT_SECONDS, FOLDER, Fleet, Served, Watch, last_wanted

TICK_SECONDS, LOOK_SECONDS, GRACE_SECONDS = 1.0, 10.0, 45.0
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
class _Job:
    """A replica that is a Slurm job, known as ended when it is no longer queued or running."""

    identity: str
    ended: int | None = None

    def stop(self) -> None:
        subprocess.run(["scancel", self.identity], check=False, capture_output=True)


@dataclass
class _Teacher:
    service: Service
    served: Served
    replicas: dict[int, _Here | _Job] = field(default_factory=dict)
    ends: int = 0
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
            missing = set(range(teacher.service.replicas)) - teacher.replicas.keys()
            for number in sorted(missing) if teacher.served.wanted else ():
                try:
                    teacher.replicas[number] = self._start(name, teacher.service, number)
                except (OSError, RuntimeError) as error:
                    # The jobs that want it are told at the next tick.
                    print(f"services: {error}", file=sys.stderr)
                    teacher.served = replace(teacher.served, failed=str(error))
                    break

    def close(self) -> None:
        """Lets the replicas end, ends those that do not, and leaves nothing behind."""
        ending = replace(
            self._fleet,
            teachers={
                name: replace(one, wanted=False) for name, one in self._fleet.teachers.items()
            },
        )
        ending.write(self._folder)
        everyone = [one for teacher in self._teachers.values() for one in teacher.replicas.values()]
        patience = time.monotonic() + GRACE_SECONDS
        while any(one.ended is None for one in everyone) and time.monotonic() < patience:
            time.sleep(0.2)
            self._look_at_jobs()
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
            if one.ended == 0:
                teacher.ends = 0
                continue
            teacher.ends += 1
            log = LOGS / f"{name}-{number}.log"
            print(f"services: {name}-{number} ended with {one.ended}, see {log}", file=sys.stderr)
            if teacher.ends >= PATIENCE * teacher.service.replicas:
                why = f"its replicas do not stay up: {log} says why"
                teacher.served = replace(teacher.served, failed=why)

    def _start(self, name: str, service: Service, number: int) -> _Here | _Job:
        """Starts a replica; raises OSError or RuntimeError where that is refused."""
        log = LOGS / f"{name}-{number}.log"
        command = [sys.executable, "-m", "sourcewise", "serve", "--replica", f"{name}-{number}"]
        command += ["--settings", service.model_dump_json()]
        print(f"services: starting {name}-{number}, log {log}", file=sys.stderr)
        if service.slurm is not None:
            return _Job(_submitted(name, service, number, command, log))
        with log.open("ab") as file:
            process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )
        return _Here(process)

    def _look_at_jobs(self) -> None:
        """Asks Slurm which jobs are left; where it does not answer, they are taken to be."""
        jobs = [
            one
            for teacher in self._teachers.values()
            for one in teacher.replicas.values()
            if isinstance(one, _Job) and one.ended is None
        ]
        if not jobs or time.monotonic() - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = time.monotonic()
        listed = subprocess.run(
            [
                "squeue",
                "--noheader",
                "--states=all",
                "--format=%i %T",
                "--jobs",
                ",".join(j.identity for j in jobs),
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        states = dict(line.split(maxsplit=1) for line in listed.stdout.splitlines() if line.strip())
        if listed.returncode and "Invalid job id" not in listed.stderr:
            return
        for job in jobs:
            state = states.get(job.identity, "COMPLETED")
            if state == "COMPLETED":
                job.ended = 0
            elif state in ("TIMEOUT", "PREEMPTED", "NODE_FAIL", "BOOT_FAIL", "CANCELLED"):
                # No fault of the server's: it is started again without being counted.
                job.ended = 0
            elif state in ("FAILED", "OUT_OF_MEMORY", "DEADLINE"):
                job.ended = 1


def _submitted(name: str, service: Service, number: int, command: list[str], log: Path) -> str:
    """Submits a replica as a Slurm job and returns its number; raises RuntimeError with sbatch's words."""
    # The shell of the batch script becomes the replica, which USR1 reaches before the time limit.
    answer = subprocess.run(
        [
            *("sbatch", "--parsable", f"--job-name=sourcewise-serve-{name}-{number}"),
            *(f"--output={log}", "--open-mode=append", "--no-requeue"),
            f"--signal=B:USR1@{int(service.drain_seconds) + 60}",
            *shlex.split(service.slurm or ""),
            f"--wrap=exec {shlex.join(command)}",
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    if answer.returncode:
        raise RuntimeError(f"sbatch refused {name}-{number}: {answer.stderr.strip()}")
    return answer.stdout.strip().partition(";")[0]
