"""Teachers as services: real processes are started where a job wants them, killed, hung, drained and ended."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from sourcewise.engines import server
from sourcewise.engines.contract import EngineError, Request
from sourcewise.params.base import Sampling
from sourcewise.params.root import ParamsError, read_yaml
from sourcewise.services import config, registry, replica
from sourcewise.services.config import Service
from sourcewise.services.fleet import LOGS, Supervisor
from sourcewise.services.registry import FOLDER, Fleet, Replica, Served, replicas
from sourcewise.services.replica import ReplicaError, Supervised
from sourcewise.tables import Message

ROOT = Path(__file__).resolve().parents[2]
MODEL = Path(__file__).with_name("served_model.py")
SAMPLING = Sampling(temperature=1.0, top_p=1.0, max_tokens=8)


def service(*, seconds: float = 0.05, replicas: int = 1, **changes: Any) -> Service:
    command = f'exec {sys.executable} {MODEL} "$HOST" "$PORT" "$MODEL" {seconds}'
    defaults: dict[str, Any] = {"health_seconds": 1.0, "idle_seconds": 60.0, "slurm": None}
    return Service(**{"command": command, "replicas": replicas, **defaults, **changes})


def request(number: int) -> Request:
    return Request(f"{number:032x}", f"q{number}", 1, [Message("user", f"word {number}")], 1, 8)


def ask(n: int) -> dict[str, str]:
    """The answers to n questions, as a job gets them."""
    found = {}
    for batch in server.complete(
        [request(number) for number in range(n)],
        model="big",
        revision="r1",
        sampling=SAMPLING,
        system=None,
    ):
        found |= {one.query_id: completion.text for one, completion in batch}
    return found


def answers(n: int) -> dict[str, str]:
    return {f"q{number}": f"WORD {number}" for number in range(n)}


@contextmanager
def serving(one: Service) -> Iterator[Supervisor]:
    """A fleet that serves the teacher `big` while the block runs."""
    supervisor = Supervisor({"big": one}, {"big": Served("big", "r1")})
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.1):
            supervisor.tick()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield supervisor
    finally:
        ended.set()
        thread.join()
        supervisor.close()


@pytest.fixture(autouse=True)
def _working_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "workflow"))
    monkeypatch.delenv("SOURCEWISE_SERVER_URLS", raising=False)
    yield
    assert servers() == [], "a server outlived its fleet"


def servers() -> list[psutil.Process]:
    """The model servers of this test, by their folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        command = process.info["cmdline"] or []
        if str(MODEL) in command and process.info["cwd"] == str(Path.cwd()):
            found.append(process)
    return found


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What a condition gives once it holds."""
    patience = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < patience, "it never came"
        time.sleep(0.05)
    return found


def answering() -> list[Replica]:
    fleet = Fleet.read()
    return replicas(fleet, "big") if fleet else []


def asking(n: int) -> tuple[threading.Thread, dict[str, str]]:
    """A job that asks in the background, and what it gets."""
    found: dict[str, str] = {}
    thread = threading.Thread(target=lambda: found.update(ask(n)))
    thread.start()
    return thread, found


def test_replicas_start_when_a_job_wants_them_and_end_when_none_does() -> None:
    with serving(service(replicas=2, idle_seconds=3.0)):
        time.sleep(1.0)
        assert servers() == []
        assert ask(20) == answers(20)
        assert len(until(lambda: len(answering()) == 2 and servers())) == 2
        until(lambda: not servers() and not answering())
        assert ask(3) == answers(3)
    assert not FOLDER.exists()


def test_a_killed_server_is_replaced_and_no_answer_is_lost() -> None:
    with serving(service(replicas=2, seconds=0.2)):
        thread, found = asking(600)
        until(lambda: len(answering()) == 2)
        for victim in servers():
            victim.kill()
            victim.wait()
        thread.join()
        assert found == answers(600)
        until(lambda: len(answering()) == 2)


def test_a_killed_replica_takes_its_server_along_and_another_is_started() -> None:
    with serving(service(seconds=0.2)):
        thread, found = asking(300)
        until(answering)
        [victim] = servers()
        watcher = victim.parent()
        assert watcher is not None
        watcher.kill()
        victim.wait(10)
        thread.join()
        assert found == answers(300)


def test_a_killed_replicas_address_is_withdrawn_before_its_successor_is_up() -> None:
    slow_again = "test -e up && sleep 60; touch up; " + service().command
    with serving(service(command=slow_again)):
        # The fleet counts what is wanted while it looks on.
        until(lambda: registry.want("big") or answering())
        [victim] = servers()
        watcher = victim.parent()
        assert watcher is not None
        watcher.kill()
        until(lambda: not answering(), 10)


def test_a_server_that_hangs_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCEWISE_SERVER_SECONDS", "5")
    with serving(service(health_seconds=0.5)):
        assert ask(1) == answers(1)
        [victim] = servers()
        victim.suspend()
        assert ask(5) == answers(5)
        assert not victim.is_running()


def test_a_replica_that_is_told_to_end_takes_nothing_new_and_finishes() -> None:
    with serving(service(seconds=3.0)):
        thread, found = asking(1)
        [first] = until(answering)
        [told] = servers()
        watcher = told.parent()
        assert watcher is not None
        until(lambda: replica.under_way(first.url.removesuffix("/v1")) == 1)
        watcher.send_signal(signal.SIGUSR1)
        until(lambda: first not in answering())
        thread.join()
        assert found == answers(1)
        watcher.wait(10)
        # Still wanted: another one has taken its place.
        until(answering)


@pytest.mark.parametrize(
    ("command", "why"),
    [("echo no such weights; exit 3", "do not stay up"), ("sleep 60", "do not stay up")],
)
def test_a_server_that_never_comes_up_ends_the_jobs_that_want_it(
    command: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sourcewise.services.fleet.PATIENCE", 1)
    with (
        serving(service(command=command, start_seconds=0.5)),
        pytest.raises(EngineError, match=f"^big: its replicas {why}: logs/services/big-0.log"),
    ):
        ask(1)
    said = (LOGS / "big-0.log").read_text()
    assert "3 times in a row" in said
    assert ("no such weights" in said) == command.startswith("echo")


def test_a_replica_whose_supervisor_died_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "DEAD_SECONDS", 3.0)
    Fleet("f", 1, "key", {"big": Served("big", "r1", wanted=True)}).write()
    thread = threading.Thread(target=Supervised(service(), "big", 0, of="f").run)
    thread.start()
    until(answering)
    thread.join(30)
    assert not thread.is_alive()
    assert answering() == []


def test_a_replica_of_an_earlier_fleet_ends() -> None:
    Fleet("first", 1, "key", {"big": Served("big", "r1", wanted=True)}).write()
    thread = threading.Thread(target=Supervised(service(), "big", 0, of="first").run)
    thread.start()
    until(answering)
    Fleet("second", 1, "key", {"big": Served("big", "r1", wanted=True)}).write()
    assert answering() == []
    thread.join(30)
    assert not thread.is_alive()


def test_a_replica_that_waited_for_an_earlier_fleet_does_not_serve_under_the_next() -> None:
    Fleet("second", 1, "key", {"big": Served("big", "r1", wanted=True)}).write()
    with pytest.raises(ReplicaError, match="the fleet that wanted it no longer serves big"):
        Supervised(service(), "big", 0, of="first")


def test_a_replica_that_is_told_to_end_before_it_is_up_says_what_is_too_short() -> None:
    Fleet("f", 1, "key", {"big": Served("big", "r1", wanted=True)}).write()
    loading = Supervised(service(command="sleep 60"), "big", 0, of="f")
    threading.Timer(1.0, loading.tell_to_end).start()
    with pytest.raises(ReplicaError, match="told to end before its server was up: the time limit"):
        loading.run()


def test_a_job_whose_fleet_died_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "DEAD_SECONDS", 1.0)
    Fleet("f", 1, "key", {"big": Served("big", "r1")}).write()
    with pytest.raises(
        EngineError, match="nobody serves big any more: run under `sourcewise serve`"
    ):
        ask(1)


def test_without_servers_a_job_says_both_ways_to_have_one() -> None:
    with pytest.raises(EngineError, match=r"SOURCEWISE_SERVER_URLS .* `sourcewise serve`"):
        ask(1)
    Fleet("f", 1, "key", {"other": Served("other", "r1")}).write()
    with pytest.raises(EngineError, match=r"name the teacher in a services\.yaml"):
        ask(1)


def test_no_other_user_reads_the_key() -> None:
    Fleet("f", 1, "key", {}).write()
    assert (FOLDER / "fleet.json").stat().st_mode & 0o077 == 0


def settings(**changes: Any) -> Path:
    """A services.yaml, and a params.yaml with its teacher."""
    params = read_yaml(ROOT / "workflow/presets/test.yaml")
    params["teachers"]["big"] = {
        "engine": "server",
        "model": "big",
        "revision": "r1",
        "system": None,
        "sampling": {"temperature": 1.0, "top_p": 1.0, "max_tokens": 8},
        "wrap": {"rule": "none"},
    }
    Path("params.yaml").write_text(yaml.safe_dump(params))
    content = json.loads(service().model_dump_json()) | changes
    Path("services.yaml").write_text(yaml.safe_dump({"big": content}))
    return Path("services.yaml")


def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sourcewise", "serve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


JOB = """
import sys
sys.path.insert(0, {folder!r})
from test_services import ask, answers
assert ask(9) == answers(9)
sys.exit(5)
"""


def test_the_command_serves_while_another_command_runs() -> None:
    path = settings()
    job = JOB.format(folder=str(Path(__file__).parent))
    ended = serve(str(path), "--", sys.executable, "-c", job)
    assert ended.returncode == 5, ended.stderr
    assert "services: starting big-0, log logs/services/big-0.log" in ended.stderr
    assert not FOLDER.exists()


def test_a_supervisor_that_is_killed_leaves_no_server_and_no_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = settings()
    command = [sys.executable, "-m", "sourcewise", "serve", str(path)]
    supervisor = subprocess.Popen(command)
    until(lambda: Fleet.read())
    registry.want("big")
    until(answering)
    second = serve(str(path), "--", "true")
    assert second.returncode == 2
    assert "services.lock is held by process" in second.stderr
    supervisor.kill()
    supervisor.wait()
    # The next fleet's start is what the replicas of this one see.
    assert serve(str(path), "--", "sleep", "5").returncode == 0
    until(lambda: not servers())


def test_ctrl_c_ends_a_fleet_without_a_command() -> None:
    path = settings()
    command = [sys.executable, "-m", "sourcewise", "serve", str(path)]
    supervisor = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until(lambda: Fleet.read())
    registry.want("big")
    until(answering)
    supervisor.send_signal(signal.SIGINT)
    _, said = supervisor.communicate(timeout=60)
    assert supervisor.returncode == 0, said
    assert "ready; Ctrl-C ends them" in said
    assert not FOLDER.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"replicas": 0}, "big.replicas: Input should be greater than or equal to 1"),
        ({"comand": "x"}, "big.comand: Extra inputs are not permitted"),
    ],
)
def test_a_mistake_in_services_yaml_is_named(changes: dict[str, Any], message: str) -> None:
    path = settings(**changes)
    with pytest.raises(ParamsError, match=message):
        config.load(path)
    ended = serve(str(path))
    assert ended.returncode == 2
    assert message in ended.stderr


def test_a_service_of_no_teacher_is_refused() -> None:
    path = settings()
    content = read_yaml(path)
    path.write_text(yaml.safe_dump({"terse": content["big"]}))
    ended = serve(str(path))
    assert ended.returncode == 2
    assert (
        "'terse' is no teacher with engine: server in params.yaml (there are ['big'])"
        in ended.stderr
    )
