"""`sourcewise doctor`: what is wrong with a machine is a line with its remedy, whatever else fails."""

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

import pytest

from sourcewise.commands import doctor
from sourcewise.doctor import (
    accelerators,
    cluster,
    environments,
    machine,
    needs,
    reaching,
    sharing,
    storage,
)
from sourcewise.doctor.findings import Finding, examine
from sourcewise.grading.sandbox import command

PRESETS = Path(__file__).resolve().parents[2] / "workflow/presets"


def _program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@contextmanager
def _answering(status: int, *, seconds_off: float = 0, text: str = "{}") -> Iterator[str]:
    """A server on loopback whose clock is off."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(status)
            self.send_header("Date", formatdate(time.time() + seconds_off, usegmt=True))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _only(findings: list[Finding]) -> Finding:
    [one] = findings
    return one


def test_a_check_that_raises_or_hangs_is_a_line_and_stops_no_other() -> None:
    never = threading.Event()

    def fails() -> list[Finding]:
        raise RuntimeError("out of luck")

    def hangs() -> list[Finding]:
        never.wait()
        return []

    start = time.monotonic()
    found = examine(
        {"a": fails, "b": hangs, "c": lambda: [Finding("c", "ok", "fine")]}, seconds=0.5
    )
    assert time.monotonic() - start < 2
    assert [one.check for one in found] == ["a", "b", "c"]
    assert [one.state for one in found] == ["problem", "problem", "ok"]
    assert "out of luck" in found[0].seen


def test_outside_a_working_copy_there_is_a_problem_and_the_status_says_so(tmp_path: Path) -> None:
    asked = [sys.executable, "-m", "sourcewise", "doctor", "--json", "--seconds", "5"]
    result = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 1, result.stderr
    found = json.loads(result.stdout)
    assert found[0]["check"] == "params.yaml"
    assert found[0]["state"] == "problem"
    assert {one["check"] for one in found} >= {"limits", "locale", "disk", "file system", "clock"}
    assert all(one["fix"] for one in found if one["state"] != "ok")
    assert list(tmp_path.iterdir()) == []


def test_an_environment_that_is_not_as_its_lock_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "verify/lib/python3.11/site-packages"
    lines = (environments.LOCKS / "verify.lock").read_text().splitlines()
    for name, version in (line.split("==") for line in lines if "==" in line):
        (packages / f"{name.replace('-', '_')}-{version.split()[0]}.dist-info").mkdir(parents=True)
    _program(tmp_path / "verify/bin", "python", "exit 0")
    monkeypatch.setenv("SOURCEWISE_VENVS", str(tmp_path))
    by_name = {one.check: one for one in environments.environments()}
    assert by_name["environment verify"].state == "ok"
    assert by_name["environment model"].state == "problem"
    assert by_name["environment model"].fix == "python3.11 envs/setup.py model"

    [verifier] = packages.glob("math_verify-*")
    verifier.rename(packages / "math_verify-0.0.1.dist-info")
    [found] = [one for one in environments.environments() if one.check == "environment verify"]
    assert found.state == "problem"
    assert "math-verify 0.0.1 instead of" in found.seen


def test_locks_and_renames_are_tried_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _only(storage.clock()).state == "ok"
    assert "locks exclude" in _only(storage.file_system()).seen
    # Another process that can take the lock: what a file system without working locks looks like.
    monkeypatch.setitem(storage.LOCKS, "flock", "pass")
    found = _only(storage.file_system())
    assert found.state == "problem"
    assert found.seen.endswith("does not work: flock")


def test_times_of_files_that_differ_from_the_clock_are_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 60)
    found = _only(storage.clock())
    assert found.state == "problem"
    assert float(found.seen.split()[4]) == pytest.approx(60, abs=1)


def test_gpus_that_torch_does_not_see_are_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "NVIDIA H100 80GB HBM3, 81559, 3, 570.10, Default\\n" * 2
    _program(tmp_path, "nvidia-smi", f'printf "{rows}"')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    gpus = _only(accelerators.gpus())
    assert gpus.state == "ok"
    assert gpus.seen == "2 GPUs: NVIDIA H100 80GB HBM3, 80 GiB; driver 570.10"

    known = '{"torch": "2.13.0+cpu", "devices": 0, "cuda": null}'
    _program(
        tmp_path / "model/bin", "python", f"echo '{known}'; echo 'ImportError: no' >&2; exit 1"
    )
    monkeypatch.setenv("SOURCEWISE_VENVS", str(tmp_path))
    torch, vllm = accelerators.models(5)
    assert torch.state == "problem"
    assert "0 GPUs of 2" in torch.seen
    assert "model-cuda.lock" in torch.fix
    assert vllm == vllm._replace(state="problem", seen="ImportError: no")


def test_an_import_that_takes_too_long_is_cut_off_and_says_how_far_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = '{"torch": "2.13.0+cpu", "devices": 0, "cuda": null}'
    _program(tmp_path / "model/bin", "python", f"echo '{known}'; exec sleep 30")
    monkeypatch.setenv("SOURCEWISE_VENVS", str(tmp_path))
    torch, vllm = accelerators.models(0.5)
    assert torch.state == "ok"
    assert vllm.state == "warning"
    assert "--seconds" in vllm.fix


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose programs answer as Slurm's do, and a profile."""
    programs = tmp_path / "bin"
    for name in cluster.PROGRAMS:
        _program(programs, name, "exit 0")
    _program(
        programs, "sinfo", "printf 'cpu|up|4|(null)|1-00:00:00\\ngpu|up|8|gpu:h100:8|infinite\\n'"
    )
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    for name in ("SLURM_CONF", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    cluster.PROFILE.parent.mkdir(parents=True)
    return programs


def _slurm(programs: Path, accounting: str, age: int, profile: str) -> list[Finding]:
    config = f"ClusterName = c\\nAccountingStorageType = accounting_storage/{accounting}\\n"
    _program(programs, "scontrol", f"printf '{config}MinJobAge = {age} sec\\n'")
    cluster.PROFILE.write_text(profile)
    return cluster.slurm()


def test_slurm_without_accounts_needs_squeue_and_a_memory(slurm: Path) -> None:
    *_, found = _slurm(slurm, "none", 3600, "slurm-init-seconds-before-status-checks: 20\n")
    assert found.state == "problem"
    assert found.fix.startswith("status_command: squeue")
    by_squeue = "slurm-status-command: squeue\nslurm-init-seconds-before-status-checks: 20\n"
    assert [one.state for one in _slurm(slurm, "none", 3600, by_squeue)] == ["ok", "ok"]
    *_, found = _slurm(slurm, "none", 30, by_squeue)
    assert found.state == "problem"
    assert "MinJobAge=300" in found.fix
    assert [one.state for one in _slurm(slurm, "slurmdbd", 30, "jobs: 3\n")] == ["ok", "ok"]


def test_the_profile_that_ships_is_read_with_its_expressions(slurm: Path) -> None:
    shipped = (PRESETS.parent / "profiles/slurm/config.yaml").read_text()
    first, ends = _slurm(slurm, "slurmdbd", 300, shipped)
    assert (first.state, ends.seen) == ("ok", "jobs' ends by sacct (slurmdbd), MinJobAge 300 s")
    *_, found = _slurm(
        slurm, "slurmdbd", 300, shipped.replace("gpu_partition: gpu", "gpu_partition: a100")
    )
    assert "a100" in found.seen
    assert "SITE" in found.fix


def test_a_partition_that_does_not_exist_is_named(slurm: Path) -> None:
    profile = "set-resources: {generate: {slurm_partition: a100}, train: {slurm_partition: gpu}}\n"
    first, _, found = _slurm(slurm, "slurmdbd", 300, profile)
    assert first.seen == "c: cpu (4 nodes), gpu (8 nodes, gpu:h100:8)"
    assert found.state == "problem"
    assert "a100" in found.seen
    assert "cpu, gpu" in found.fix


def test_jobs_of_an_earlier_run_are_listed_with_the_command_that_ends_them(slurm: Path) -> None:
    here = Path.cwd()
    jobs = (f"17|sourcewise_ab|{here}", f"18|other|{here}", "20|sourcewise_cd|/another/copy")
    said = "\\n".join((*jobs, f"19|sourcewise_ab|{here}"))
    _program(slurm, "squeue", f"printf '{said}\\n'")
    *_, found = _slurm(slurm, "slurmdbd", 300, "slurm-jobname-prefix: sourcewise\n")
    assert found.state == "warning"
    assert found.fix.endswith("scancel 17 19")


def test_the_hub_is_asked_only_where_params_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert _only(reaching.hub(needs.Needs())).state == "ok"
    found = _only(reaching.hub(needs.Needs(hub=("a/b",))))
    assert found.state == "problem"
    assert "a/b" in found.seen


def test_a_refused_token_and_a_clock_that_is_off_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_TOKEN", "secret")
    wanted = needs.Needs(hub=("a/b",))
    with _answering(401) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        found = _only(reaching.hub(wanted))
    assert found.state == "problem"
    assert "token" in found.seen
    assert "secret" not in found.seen + found.fix
    with _answering(200, seconds_off=-300) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        hub, clock = reaching.hub(wanted)
    assert hub.state == "ok"
    assert (clock.check, clock.state) == ("clock", "warning")


def test_offline_with_nothing_kept_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert _only(reaching.hub(needs.Needs(hub=("a/b",)))).state == "problem"
    (tmp_path / "hub/datasets--a--b").mkdir(parents=True)
    assert _only(reaching.hub(needs.Needs(hub=("a/b",)))).state == "warning"


def test_a_server_that_serves_another_model_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCEWISE_JUDGE_URL", raising=False)
    monkeypatch.delenv("SOURCEWISE_SERVER_URLS", raising=False)
    wanted = needs.Needs(served=("r1",), served_models=("deepseek-r1",), judged=("science",))
    servers, judge = reaching.servers(wanted)
    assert (servers.state, judge.state) == ("problem", "warning")
    with _answering(200, text='{"data": [{"id": "qwen3"}]}') as url:
        monkeypatch.setenv("SOURCEWISE_SERVER_URLS", f"{url}/v1")
        found = reaching.servers(wanted)[0]
    assert found.state == "problem"
    assert "serves qwen3 only" in found.seen


def test_what_the_presets_need_is_read_off_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for preset, hub in (("tiny", False), ("paper", True)):
        Path("params.yaml").write_bytes((PRESETS / f"{preset}.yaml").read_bytes())
        needed, [finding] = needs.read()
        assert finding.state == "ok"
        assert bool(needed.hub) == hub
    assert "a-m-team/AM-Thinking-v1" in needed.hub
    assert "deepseek-ai/DeepSeek-R1" in needed.served_models, "its server fetches it"
    assert needed.judged == ("science", "dialogue")


def test_a_remote_is_reached_as_dvc_reaches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dvc = Path(sys.executable).with_name("dvc")

    def call(*words: str) -> None:
        subprocess.run([str(dvc), *words], check=True, capture_output=True)

    call("init", "--no-scm", "-q")
    assert "none" in _only(sharing.dvc_remote(120)).seen
    call("remote", "add", "-d", "store", str(tmp_path / "store"))
    assert "does not exist" in _only(sharing.dvc_remote(120)).seen
    (tmp_path / "store").mkdir()
    found = _only(sharing.dvc_remote(120))
    assert found.fix == "dvc remote modify --local store verify true"
    call("remote", "modify", "store", "verify", "true")
    assert _only(sharing.dvc_remote(120)) == Finding("DVC remote", "ok", f"store: {tmp_path}/store")


def test_this_machine_compiles_and_sandboxes() -> None:
    assert _only(machine.compiler(120)).state == "ok"
    assert _only(machine.sandboxed()).state == "ok"


def test_without_bubblewrap_the_remedy_is_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    command.command.cache_clear()
    found = _only(machine.sandboxed())
    assert found.state == "problem"
    assert found.fix == "apt-get install bubblewrap"
    assert _only(machine.compiler(120)).fix == "apt-get install g++"


def test_the_screen_has_each_fix_below_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    findings = [Finding("a", "ok", "fine", "not shown"), Finding("b", "problem", "bad", "mend it")]
    Console(width=80).print(doctor.render(findings))
    said = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert said[0] == "ok       a  fine"
    assert said[1].split() == ["problem", "b", "bad"]
    assert said[2] == "mend it"
    assert said[3].startswith("1 problem;")
