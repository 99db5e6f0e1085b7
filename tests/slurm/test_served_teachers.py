"""`sourcewise serve` with replicas that are Slurm jobs: shards ask them all, and miss none that is lost."""

import json
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

import daemons
from cluster import Cluster
from disturbed import Run
from served import answered, ledger
from submitted import FIRST_ROUND, LIMIT, ON_SLURM, digest, end
from teacher_server import Request
from working_copy import Copy

SERVER = Path(__file__).with_name("replica_server.py")
REPLICAS = Path(".snakemake/sourcewise/services/replicas")
SHARDS = " ".join(map(str, FIRST_ROUND))
# With the node's GPUs to itself: the other replica takes the other node.
OPTIONS = "--partition=gpu --gres=gpu:2 --mem=500 --time=5"

pytestmark = pytest.mark.timeout(600)


class Service:
    """A teacher that is served in a copy, its replicas' records and the jobs that they are."""

    def __init__(self, copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
        self.copy, self.records = copy, copy.folder / "records"
        self.records.mkdir()
        # The server reads the tests' modules beside the copy's code.
        own = f"PYTHONPATH={SERVER.parent}:{SERVER.parents[1] / 'pipeline'}:$PYTHONPATH"
        command = f'{own} exec {sys.executable} {SERVER} "$HOST" "$PORT" {self.records}'
        service = {"command": command, "replicas": 2, "slurm": OPTIONS, "host": "127.0.0.1"}
        service |= {"drain_seconds": 5, "health_seconds": 5}
        (copy.folder / "services.yaml").write_text(yaml.safe_dump({"words": service}))
        monkeypatch.delenv("SOURCEWISE_SERVER_URLS", raising=False)
        monkeypatch.setenv("SOURCEWISE_SERVER_CONCURRENCY", "2")

    def start(self, command: str) -> Run:
        """The supervisor, with a run that asks it."""
        return Run.start(
            self.copy, f"{LIMIT} python -m sourcewise serve services.yaml -- {command}"
        )

    def allow(self, answers: int) -> None:
        """Each replica answers so many requests in all."""
        partial = self.records / "partial"
        partial.write_text(str(answers))
        partial.rename(self.records / "allowed")

    def said(self, what: str) -> str:
        """What stands in the logs of a rule, or of the replicas."""
        logs = (self.copy.folder / "logs" / what).rglob("*.log")
        return "".join(log.read_text() for log in logs)

    def addresses(self) -> dict[int, str]:
        """The port of each replica that answers, by its number."""
        found = {}
        for file in (self.copy.folder / REPLICAS).glob("words-*.json"):
            content = json.loads(file.read_text())
            found[content["number"]] = content["url"].rpartition(":")[2].partition("/")[0]
        return found

    def asked(self, port: str) -> list[Request]:
        """The requests that came to a port."""
        record = self.records / port
        lines = record.read_text().splitlines() if record.exists() else []
        pairs = (line.split() for line in lines)
        return [Request("words", query, int(seed)) for query, seed in pairs]

    def jobs(self, state: str) -> dict[str, str]:
        """The replicas' jobs in a state: the number of each and its node."""
        name = "sourcewise-serve-words"
        said = daemons.call("squeue", "--noheader", f"--states={state}", "--format=%i|%j|%N|%Z")
        rows = (line.split("|") for line in said.splitlines())
        return {
            f"{job}": f"{called.removeprefix(name + '-')} {node}"
            for job, called, node, folder in rows
            if called.startswith(name) and folder == str(self.copy.folder)
        }


@pytest.fixture
def service(corpus: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    return Service(corpus.twin(tmp_path / "copy"), monkeypatch)


def check(service: Service, alone: Copy) -> None:
    """The files are those of an undisturbed run, each answer is there once, no job is left."""
    for shard in FIRST_ROUND:
        assert digest(service.copy, shard) == digest(alone, shard)
    assert set(ledger(service.copy).values()) == {1}
    left = daemons.call("squeue", "--noheader", "--format=%i %j %T %Z")
    assert str(service.copy.folder) not in left
    assert not (service.copy.folder / REPLICAS).exists()


def test_a_replica_that_is_cancelled_is_replaced_and_no_answer_is_lost(
    service: Service, alone: Copy
) -> None:
    service.allow(0)
    run = service.start(f"{ON_SLURM.removeprefix(LIMIT)} -- {SHARDS}")
    assert run.await_(lambda: len(service.addresses()) == 2, 120), run.words()
    running = service.jobs("RUNNING")
    assert sorted(running.values()) == ["0 n0", "1 n1"]
    first = service.addresses()
    service.allow(3)
    # Both were asked, and hold back what is more than they may answer.
    assert run.await_(lambda: all(len(service.asked(port)) > 3 for port in first.values()), 120)
    kept = answered(service.copy)
    (victim,) = (job for job, what in running.items() if what.startswith("0"))
    daemons.call("scancel", victim)
    assert run.await_(lambda: service.addresses().get(0, first[0]) != first[0], 120), run.words()
    assert service.jobs("CANCELLED") == {victim: "0 n0"}
    # Jobs look every second who is there.
    time.sleep(3)
    service.allow(1000)
    end(run)
    check(service, alone)
    assert len(service.jobs("COMPLETED")) == 2, run.words()
    ports = [file.name for file in service.records.iterdir() if file.name.isdecimal()]
    asked = Counter(request for port in ports for request in service.asked(port))
    assert len(ports) == 3
    assert all(service.asked(port) for port in ports), "the successor was asked, too"
    assert asked.keys() == answered(service.copy)
    again = {request for request, times in asked.items() if times > 1}
    assert not again & kept
    assert again <= set(service.asked(first[0])), "only what the lost replica had was asked again"


@pytest.mark.usefixtures("accounts")
def test_replicas_that_slurm_cannot_take_now_are_submitted_later(
    service: Service, alone: Copy, cluster: Cluster
) -> None:
    service.allow(1000)
    cluster.stop_controller()
    try:
        run = service.start(f"snakemake --cores 2 -- {SHARDS}")
        assert run.await_(lambda: "sbatch refused words-0" in run.words(), 120)
    finally:
        cluster.start_controller()
    end(run)
    check(service, alone)


@pytest.mark.usefixtures("accounts")
def test_options_that_slurm_refuses_end_the_jobs_with_its_words(service: Service) -> None:
    path = service.copy.folder / "services.yaml"
    path.write_text(path.read_text().replace("--partition=gpu", "--partition=a100"))
    run = service.start(f"snakemake --cores 2 -- {SHARDS}")
    assert run.process.wait(120) != 0
    why = service.said("generate")
    assert "words: sbatch refused words-0" in why
    assert "invalid partition specified: a100" in why
