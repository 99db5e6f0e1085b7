"""The whole pipeline as Slurm jobs gives the files of a run on one machine."""

import csv
import json
from pathlib import Path

import pytest

from cluster import Cluster
from served import results
from submitted import LIMIT, PROFILE, change_profile, jobs, script, use_accounts
from working_copy import Copy, copy_of

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def submitted(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy of the test preset in which every job ran at Slurm."""
    copy = copy_of(tmp_path_factory.mktemp("runs") / "slurm")
    use_accounts(copy, accounting=cluster.accounting)
    copy.call(f"{LIMIT} snakemake --profile {PROFILE}")
    return copy


def test_a_run_on_slurm_gives_the_files_of_a_local_one(
    submitted: Copy, tmp_path_factory: pytest.TempPathFactory
) -> None:
    local = copy_of(tmp_path_factory.mktemp("runs") / "local")
    local.call("snakemake --cores 2")
    assert results(submitted) == results(local)
    assert submitted.planned() == {}
    assert "up to date" in submitted.call("dvc status")


def test_models_run_where_gpus_are_and_everything_else_where_they_are_not(submitted: Copy) -> None:
    asking = ("generate", "decontaminate", "perplexity", "sample", "train")
    for job in jobs(submitted):
        rule = job.comment.removeprefix("rule_").partition("_wildcards")[0]
        expected = ("gpu", True) if rule in asking else ("cpu", False)
        assert (job.partition, job.gpus) == expected, job


def test_the_verdicts_of_a_round_are_one_job(submitted: Copy) -> None:
    rounds = [job for job in jobs(submitted) if "verify" in job.comment]
    assert len(rounds) == 2, "two rounds of two shards each"


def test_a_round_that_the_ledger_answers_takes_no_gpu(submitted: Copy) -> None:
    before = len(jobs(submitted, "generate"))
    for response in submitted.folder.glob(
        "data/distill/terse/round-*/arithmetic-*.responses.parquet"
    ):
        response.unlink()
    submitted.call(f"{LIMIT} snakemake --profile {PROFILE} -- distill@terse")
    again = jobs(submitted, "generate")[before:]
    assert len(again) == 2
    assert {(job.partition, job.gpus) for job in again} == {("cpu", False)}


def test_two_nodes_train_as_one_process_does(submitted: Copy, tmp_path: Path) -> None:
    copy = submitted.twin(tmp_path / "copy")
    change_profile(copy, "training: {nodes: 1", "training: {nodes: 2")
    copy.call(f"{LIMIT} snakemake --profile {PROFILE} --forcerun train -- train@unverified")
    (job,) = jobs(copy, "rule_train")
    assert job.node == "n[0-1]"
    # A Snakemake of the plugin's stands between only where a stage calls srun itself.
    before, *_ = jobs(submitted, "rule_train")
    assert ["slurm-jobstep" in script(one) for one in (before, job)] == [False, True]
    described = json.loads((copy.folder / "data/students/unverified/training.json").read_text())
    assert described["steps"] == 4
    alone, both = (losses(one) for one in (submitted, copy))
    assert both == pytest.approx(alone, abs=1e-5)
    assert both != [], "a training without steps would be equal, too"


def losses(copy: Copy) -> list[float]:
    with (copy.folder / "data/students/unverified/loss.csv").open() as file:
        return [float(step["loss"]) for step in csv.DictReader(file)]


def test_the_profile_of_the_tests_is_that_of_clusters_but_for_the_values_of_the_site() -> None:
    profiles = Path(__file__).resolve().parents[2] / "workflow/profiles"
    ours, theirs = (
        (profiles / name / "config.yaml").read_text().partition("# SITE ends.")[2]
        for name in ("slurm-ci", "slurm")
    )
    assert ours == theirs != ""
