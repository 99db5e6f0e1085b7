"""`sourcewise serve SERVICES.yaml [-- COMMAND …]`: teachers as services, while a run asks for them.

Replicas of a teacher start when a job wants it and end when none has for a while; when COMMAND ends (or,
without one, at Ctrl-C), all end. The exit status is the command's.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from sourcewise.commands.environment import UsageError
from sourcewise.params import root
from sourcewise.params.root import ParamsError
from sourcewise.services import config
from sourcewise.services.config import Service
from sourcewise.services.fleet import TICK_SECONDS, Supervisor
from sourcewise.services.registry import Served
from sourcewise.services.replica import ReplicaError, Supervised


def main(arguments: Sequence[str]) -> int:
    """Serves; 2 with a message where that cannot begin."""
    own, command = _parted(list(arguments))
    parser = argparse.ArgumentParser(prog="sourcewise serve", description=__doc__)
    parser.add_argument("services", type=Path, nargs="?", metavar="SERVICES.yaml")
    parser.add_argument("--replica", help=argparse.SUPPRESS)
    parser.add_argument("--fleet", help=argparse.SUPPRESS)
    parser.add_argument("--settings", help=argparse.SUPPRESS)
    given = parser.parse_args(own)
    if given.replica:
        return _replica(given.replica, given.fleet, given.settings)
    if given.services is None:
        parser.error("name a services.yaml")
    try:
        services = config.load(given.services)
        supervisor = Supervisor(services, _served(services))
    except (ParamsError, UsageError, RuntimeError, OSError) as error:
        print(f"sourcewise serve: {error}", file=sys.stderr)
        return 2
    try:
        return _while_runs(supervisor, command)
    finally:
        supervisor.close()


def _parted(arguments: list[str]) -> tuple[list[str], list[str]]:
    place = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:place], arguments[place + 1 :]


def _served(services: dict[str, Service]) -> dict[str, Served]:
    """The teachers that are served; raises UsageError for one that no run would ask."""
    teachers = root.load(Path("params.yaml")).teachers
    served = {}
    for name in services:
        teacher = teachers.get(name)
        if teacher is None or teacher.engine != "server" or teacher.model is None:
            able = sorted(one for one, t in teachers.items() if t.engine == "server")
            raise UsageError(
                f"{name!r} is no teacher with engine: server in params.yaml (there are {able})"
            )
        served[name] = Served(teacher.model, teacher.revision)
    return served


def _while_runs(supervisor: Supervisor, command: list[str]) -> int:
    """Serves until the command, or a signal, ends; the status is the command's."""
    running = subprocess.Popen(command) if command else None
    if running is not None:
        # Ctrl-C reaches the command by itself, and what it still asks wants its teachers.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: running.terminate())
    else:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        print("services: ready; Ctrl-C ends them", file=sys.stderr)
    with contextlib.suppress(KeyboardInterrupt):
        while running is None or running.poll() is None:
            supervisor.tick()
            time.sleep(TICK_SECONDS)
    return 0 if running is None else running.returncode


def _replica(name: str, fleet: str, settings: str) -> int:
    teacher, _, number = name.rpartition("-")
    try:
        service = Service.model_validate_json(settings)
        replica = Supervised(service, teacher, int(number), of=fleet)
        for one in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
            signal.signal(one, replica.tell_to_end)
        replica.run()
    except ReplicaError as error:
        print(f"sourcewise serve: {name}: {error}", file=sys.stderr)
        return 1
    return 0
