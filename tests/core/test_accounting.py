"""What jobs took: Slurm's lines, the logs where there are none, and the file that the report reads."""

import shutil
from pathlib import Path

import pytest

from sourcewise import accounting
from sourcewise.accounting import Spent
from sourcewise.commands import account
from sourcewise.forecasting import Forecast
from sourcewise.params.rates import Rate, Rates
from sourcewise.params.root import load

PRESET = Path(__file__).resolve().parents[2] / "workflow/presets/test.yaml"
GPU = "billing=8,cpu=8,gres/gpu:h100=4,gres/gpu=4,mem=64G,node=1"
LINES = [
    f"17|COMPLETED|7200|57600|{GPU}|/runs/a|sbatch --comment rule_generate_wildcards_r1_2_math -n 1",
    f"18|TIMEOUT|3600|28800|{GPU}|/runs/a|sbatch --comment 'rule_generate_wildcards_r1_2_a b'",
    "19|CANCELLED by 1000|0|0||/runs/a|sbatch --comment rule_verify_wildcards_r1_1_math-0003",
    "20|RUNNING|500|1000|cpu=2|/runs/a|sbatch --comment rule_verify_wildcards_r1_1_math-0003",
    "21|COMPLETED|1800|3600|cpu=2,node=1|/runs/a/|sbatch --comment rule_judge_queries -p cpu",
    "24|COMPLETED|1800|3600|cpu=2,node=1|/runs/a|sbatch --comment rule_verification-r1-2_verify -p cpu",
    "22|COMPLETED|1800|3600|cpu=2,node=1|/runs/b|sbatch --comment rule_verify",
    "25|COMPLETED|3600|7200|gres/gpu=2|/runs/a|sbatch --comment rule_serve_wildcards_r1-0 --wrap a",
    "23|OUT_OF_MEMORY|1800||cpu=2,gres/gpu:a100=1,gres/gpu:h100=1|/runs/a|",
    "slurm_persist_conn_open: something else",
]
LINES = [line.replace("|", accounting.DELIMITER) for line in LINES]


def lines_of(folder: Path) -> list[str]:
    """LINES as if the working copy `/runs/a` were this folder."""
    return [line.replace("/runs/a", str(folder)) for line in LINES]


def test_lines_of_sacct_are_read_with_what_failed_and_without_what_never_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert accounting.of_slurm(lines_of(tmp_path)) == [
        Spent("generate", False, 2.0, 8.0, 16.0),
        Spent("generate", True, 1.0, 4.0, 8.0),
        Spent("judge_queries", False, 0.5, 0.0, 1.0),
        Spent("verification", False, 0.5, 0.0, 1.0),
        Spent("serve", False, 1.0, 2.0, 2.0),
        Spent("", True, 0.5, 1.0, None),
    ]


def test_jobs_of_a_copy_that_was_entered_by_a_link_are_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    monkeypatch.chdir(tmp_path / "a")
    assert len(accounting.of_slurm(lines_of(tmp_path / "link"))) == 6


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working copy in which jobs ended, without Slurm."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    shutil.copyfile(PRESET, "params.yaml")
    logs = {
        "generate/terse/round-1/s-0000": "generate: asked 12, from the ledger 0\ngenerate: done in 3600.0 s\n",
        "generate/terse/round-2/s-0000": "generate: asked 0, from the ledger 3\ngenerate: done in 1.8 s\n",
        "generate/terse/round-1/s-0001": "Traceback\n",
        "verify/terse/round-1/s-0000": "verify: done in 36.0 s\n",
    }
    for name, text in logs.items():
        path = Path("logs", f"{name}.log")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_without_slurm_the_logs_tell_and_gpus_are_those_of_the_rates(copy: Path) -> None:
    params = load(Path("params.yaml"))
    found = account.collected(params)
    assert found.source == "logs"
    assert found.stages["generation"].jobs == 2
    assert found.stages["generation"].gpu_hours is None
    rates = Rates(currency="EUR", teachers={"terse": Rate(gpus=4)})
    found = account.collected(params.model_copy(update={"rates": rates}))
    # The round that found all in the ledger held no GPU that worked.
    assert found.stages["generation"].gpu_hours == pytest.approx(4)
    assert found.stages["verification"].gpu_hours == 0
    assert found.stages["verification"].hours == pytest.approx(0.01)


def test_slurm_accounts_come_first(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copy / "bin").mkdir()
    said = "\n".join(lines_of(copy))
    (copy / "lines").write_text(said + "\n")
    program = copy / "bin/sacct"
    program.write_text(f"#!/bin/sh\nwhile read -r line; do echo \"$line\"; done < '{copy}/lines'\n")
    program.chmod(0o755)
    found = account.collected(load(Path("params.yaml")))
    assert found.source == "slurm"
    generation, other = found.stages["generation"], found.stages["other"]
    assert (generation.jobs, generation.failed, generation.gpu_hours) == (3, 1, 14.0)
    assert (other.jobs, other.gpu_hours, other.cpu_hours) == (2, 1.0, None)
    assert account.main([]) == 0
    assert "by Slurm's accounts" in capsys.readouterr().out


def test_a_file_that_is_no_forecast_is_one_line_and_stays(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert account.main(["--into", "forecast.json"]) == 2
    assert "does not exist: make it (sourcewise forecast --out" in capsys.readouterr().err
    Path("forecast.json").write_text("{}")
    assert account.main(["--into", "forecast.json"]) == 2
    assert Path("forecast.json").read_text() == "{}"
    with pytest.raises(ValueError, match="Field required"):
        Forecast.model_validate_json("{}")
    shutil.rmtree("logs")
    assert account.main([]) == 2
    assert "no job ended in this folder" in capsys.readouterr().err
