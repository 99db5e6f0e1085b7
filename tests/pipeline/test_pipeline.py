"""The whole DAG on the smallest preset: both entry points, from nothing, and what each thinks afterwards."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from sourcewise.dag.workspace import make

ROOT = Path(__file__).resolve().parents[2]
PATH = f"{ROOT / '.venvs/workflow/bin'}:{os.environ['PATH']}"


class Copy:
    """A working copy and the commands a person types in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def environment(self) -> dict[str, str]:
        """The activated environment, with this copy's code."""
        own = {"PATH": PATH, "PYTHONPATH": f"{self.folder / 'workflow'}"}
        return {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", **own}

    def call(self, command: str) -> str:
        """Output of a command that must succeed."""
        result = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
        )
        output = result.stdout + result.stderr
        assert result.returncode == 0, f"{command}\n{output[-6000:]}"
        return output

    def planned(self) -> dict[str, int]:
        """Rules that a dry run would execute, with their number of jobs; target rules left out."""
        output = self.call("snakemake -n --quiet rules")
        if "Nothing to be done" in output:
            return {}
        jobs = {}
        for line in output.splitlines():
            name, _, number = line.partition(" ")
            if number.strip().isdigit() and name not in ("total", "all"):
                jobs[name] = int(number)
        return {name: n for name, n in jobs.items() if not name.startswith("stage_")}

    def edit(self, old: str, new: str) -> None:
        """Replaces text in params.yaml."""
        path = self.folder / "params.yaml"
        text = path.read_text()
        assert text.count(old) >= 1, old
        path.write_text(text.replace(old, new))

    def commit(self, message: str) -> None:
        """Commits everything that git does not ignore."""
        identity = "-c user.name=test -c user.email=test@example.org"
        self.call(f"git add -A && git {identity} commit -qm '{message}'")


def _copy(folder: Path) -> Copy:
    make(folder, ROOT / "workflow/presets/test.yaml")
    copy = Copy(folder)
    copy.call("dvc config --local core.analytics false")
    copy.commit("code")
    return copy


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy in which plain Snakemake ran everything from nothing."""
    copy = _copy(tmp_path_factory.mktemp("runs") / "snakemake")
    copy.call("snakemake --cores 2")
    return copy


def test_snakemake_makes_the_report(made: Copy) -> None:
    page = (made.folder / "data/report/index.html").read_text()
    assert "The test preset" in page


def test_after_snakemake_neither_tool_has_anything_to_do(made: Copy) -> None:
    assert made.planned() == {}
    assert "up to date" in made.call("dvc status")
    assert "Running stage" not in made.call("dvc repro")


def test_one_edit_reruns_one_branch(made: Copy) -> None:
    made.edit("title: The test preset", "title: Another title")
    assert made.planned() == {"report": 1}
    made.edit("title: Another title", "title: The test preset")
    made.edit("max_count: 20", "max_count: 19")
    # The untrained base depends on no dataset.
    assert made.planned() == {"filter": 2, "train": 1, "sample": 1, "grade": 1, "report": 1}
    made.edit("max_count: 19", "max_count: 20")
    assert made.planned() == {}


def test_a_clone_that_pulls_has_nothing_to_do(made: Copy, tmp_path: Path) -> None:
    made.call(f"dvc remote add --local --force -d shared {tmp_path / 'remote'} && dvc push -q")
    made.commit("run")
    made.call(f"git clone -q . {tmp_path / 'clone'}")
    clone = Copy(tmp_path / "clone")
    (clone.folder / ".venvs").symlink_to(ROOT / ".venvs")
    clone.call(f"dvc remote add --local --force -d shared {tmp_path / 'remote'} && dvc pull -q")
    assert clone.planned() == {}
    assert "up to date" in clone.call("dvc status")
    report = Path("data/report/index.html")
    assert (clone.folder / report).read_bytes() == (made.folder / report).read_bytes()


def test_dvc_repro_makes_the_same_report_and_leaves_snakemake_nothing(
    made: Copy, tmp_path: Path
) -> None:
    copy = _copy(tmp_path / "dvc")
    copy.call("dvc repro")
    assert copy.planned() == {}
    assert "up to date" in copy.call("dvc status")
    for name in ("data/report/index.html", "data/report/summary.json"):
        assert (copy.folder / name).read_bytes() == (made.folder / name).read_bytes(), name


def test_a_killed_run_goes_on_where_it_stopped(made: Copy, tmp_path: Path) -> None:
    copy = _copy(tmp_path / "killed")
    command = ["snakemake", "--profile", "workflow/profiles/local", "--cores", "2"]
    run = subprocess.Popen(
        command,
        cwd=copy.folder,
        env=copy.environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    round_one = copy.folder / "data/distill/terse/round-1"
    while not list(round_one.glob("*.responses.parquet")):
        assert run.poll() is None
        time.sleep(0.1)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    # Its jobs die with it or end on their own; either way nothing half done is taken for finished.
    output = copy.call(" ".join(command))
    assert "rule pretrain:" not in output
    report = Path("data/report/index.html")
    assert (copy.folder / report).read_bytes() == (made.folder / report).read_bytes()
    assert "up to date" in copy.call("dvc status")


def test_a_second_writer_is_refused(made: Copy) -> None:
    lock = made.folder / ".snakemake/sourcewise/lock"
    holder = f"flock {lock} snakemake --cores 1"
    result = subprocess.run(
        holder, shell=True, cwd=made.folder, env=made.environment(), capture_output=True
    )
    assert result.returncode != 0
    assert b"another run works in this copy" in result.stderr + result.stdout


def test_a_wrong_key_stops_everything_with_its_name(made: Copy) -> None:
    made.edit("max_attempts: 2", "max_atempts: 2")
    result = subprocess.run(
        "snakemake -n",
        shell=True,
        cwd=made.folder,
        env=made.environment(),
        capture_output=True,
        text=True,
    )
    made.edit("max_atempts: 2", "max_attempts: 2")
    assert result.returncode != 0
    assert "unknown key distill.max_atempts; did you mean 'max_attempts'?" in result.stdout


@pytest.mark.parametrize(
    ("preset", "jobs"),
    [
        # 118 shards x 3 teachers x (4 rounds x 2 + perplexity) = 3,186 of the distillation alone.
        ("paper", {"generate": 1416, "verify": 1416, "perplexity": 354, "decontaminate": 118}),
        ("tiny", {"generate": 9, "verify": 9, "perplexity": 3, "decontaminate": 1}),
    ],
)
def test_a_preset_dry_runs_to_its_complete_job_list(
    tmp_path: Path, preset: str, jobs: dict[str, int]
) -> None:
    make(tmp_path / preset, ROOT / f"workflow/presets/{preset}.yaml")
    planned = Copy(tmp_path / preset).planned()
    assert jobs.items() <= planned.items()
    assert planned["report"] == 1
