"""One replica: a server process that is started, watched, restarted, drained and ended.

It lives as long as its fleet wants its teacher, and ends by itself where the fleet is gone: a supervisor
that was killed leaves no GPU taken.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from sourcewise.parent import end_with_parent
from sourcewise.services.config import Service
from sourcewise.services.registry import DEAD_SECONDS, FOLDER, Fleet, Replica, Watch

TICK_SECONDS = 1.0
UNHEALTHY = 3
# Ends in a row, none after a quarter of an hour of work, after which a replica gives up.
PATIENCE, SETTLED_SECONDS = 3, 900.0
KILL_SECONDS, METRICS_SECONDS = 10.0, 30.0
_UNDER_WAY = re.compile(
    r"^(?:vllm|sglang):num_(?:requests_)?(?:running|waiting)\S* (\S+)$", re.MULTILINE
)


class ReplicaError(RuntimeError):
    """The server cannot be kept up; its own words stand above in the log."""


class Supervised:
    """A replica of a teacher, by number."""

    def __init__(
        self, service: Service, teacher: str, number: int, *, of: str, folder: Path = FOLDER
    ) -> None:
        """Raises ReplicaError where the fleet `of` that wanted it no longer serves here."""
        self._service, self._teacher, self._number, self._folder = service, teacher, number, folder
        fleet = Fleet.read(folder)
        if fleet is None or fleet.fleet != of or teacher not in fleet.teachers:
            raise ReplicaError(
                f"the fleet that wanted it no longer serves {teacher} in this working copy"
            )
        self._fleet = fleet
        self._was_up = False
        self._beat = Watch()
        self._told_to_end = False
        self._looked_at = 0.0
        self._wanted = True

    def tell_to_end(self, *_: object) -> None:
        """A time limit is near, or somebody ends the job: finish what is under way."""
        self._told_to_end = True

    def run(self) -> None:
        """Serves until nobody wants it; raises ReplicaError where the server does not stay up."""
        ends = 0
        while self._is_wanted():
            started = time.monotonic()
            ended = self._serve()
            ends = 1 if time.monotonic() - started > SETTLED_SECONDS else ends + 1
            if ended is None:
                break
            print(f"{self._name}: {ended}", flush=True)
            if ends >= PATIENCE:
                raise ReplicaError(f"{ended}, {ends} times in a row")
            self._wait(2.0**ends)
        if self._told_to_end and not self._was_up:
            raise ReplicaError(
                "told to end before its server was up: the time limit of its job has to hold the "
                f"server's start and drain_seconds ({self._service.drain_seconds:g})"
            )

    def _serve(self) -> str | None:
        """One life of the server: why it ended, None where it was to end."""
        with self._server() as (server, url):
            if (trouble := self._until_healthy(server, url)) is not None:
                return trouble
            if not self._is_wanted():
                return None
            replica = Replica(self._fleet.fleet, self._teacher, self._number, f"{url}/v1")
            replica.announce(self._folder)
            self._was_up = True
            print(f"{self._name}: answers at {url}", flush=True)
            try:
                trouble = self._while_healthy(server, url)
            finally:
                replica.withdraw(self._folder)
            if trouble is None and self._told_to_end:
                self._drain(server, url)
            return trouble

    @property
    def _name(self) -> str:
        return f"{self._teacher}-{self._number}"

    @contextlib.contextmanager
    def _server(self) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
        served = self._fleet.teachers[self._teacher]
        by_default = socket.gethostname() if self._service.slurm is not None else "127.0.0.1"
        host = self._service.host or by_default
        port = _free_port(host)
        variables = {
            "MODEL": served.model,
            "REVISION": served.revision,
            "HOST": host,
            "PORT": str(port),
            "VLLM_API_KEY": self._fleet.key,
        }
        # A session of its own: what the server starts is ended with it.
        server = subprocess.Popen(
            ["bash", "-c", self._service.command],
            env=os.environ | variables,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        try:
            yield server, f"http://{host}:{port}"
        finally:
            _end(server)

    def _until_healthy(self, server: subprocess.Popen[bytes], url: str) -> str | None:
        patience = time.monotonic() + self._service.start_seconds
        while self._is_wanted():
            if server.poll() is not None:
                return f"the server ended with {server.returncode} before it was up"
            if self._answers(url):
                return None
            if time.monotonic() > patience:
                return f"the server was not up after {self._service.start_seconds:g} s"
            self._wait(TICK_SECONDS)
        return None

    def _while_healthy(self, server: subprocess.Popen[bytes], url: str) -> str | None:
        missed, asked_at = 0, time.monotonic()
        while self._is_wanted():
            self._wait(TICK_SECONDS)
            if server.poll() is not None:
                return f"the server ended with {server.returncode}"
            if time.monotonic() - asked_at < self._service.health_seconds:
                continue
            missed = 0 if self._answers(url) else missed + 1
            asked_at = time.monotonic()
            if missed == UNHEALTHY:
                return f"the server did not answer {UNHEALTHY} times in a row"
        return None

    def _answers(self, url: str) -> bool:
        place, seconds = url + self._service.health, self._service.health_seconds
        try:
            with urllib.request.urlopen(place, timeout=seconds) as reply:
                return bool(reply.status == 200)
        except (OSError, ValueError):
            return False

    def _drain(self, server: subprocess.Popen[bytes], url: str) -> None:
        """Waits for what is under way, as far as the server tells."""
        patience = time.monotonic() + self._service.drain_seconds
        while time.monotonic() < patience and server.poll() is None and under_way(url):
            time.sleep(TICK_SECONDS)

    def _is_wanted(self) -> bool:
        if self._told_to_end:
            return False
        if time.monotonic() - self._looked_at >= TICK_SECONDS:
            self._looked_at = time.monotonic()
            fleet = Fleet.read(self._folder)
            silent = self._beat.seconds(None if fleet is None else (fleet.fleet, fleet.beat))
            if fleet is None or fleet.fleet != self._fleet.fleet:
                # Gone, or the file is being replaced: the next look tells.
                self._wanted = fleet is None and silent < 2 * TICK_SECONDS
            else:
                self._wanted = silent < DEAD_SECONDS and fleet.teachers[self._teacher].wanted
        return self._wanted

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and self._is_wanted():
            time.sleep(min(left, 0.2))


def under_way(url: str) -> float:
    """Requests that a server runs or keeps waiting, by its metrics; 0 where it tells nothing."""
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=METRICS_SECONDS) as reply:
            text = reply.read().decode("utf-8", "replace")
    except (OSError, ValueError):
        return 0.0
    return sum(float(number) for number in _UNDER_WAY.findall(text))


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _end(server: subprocess.Popen[bytes]) -> None:
    """Ends the server and all that is of its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(KILL_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
