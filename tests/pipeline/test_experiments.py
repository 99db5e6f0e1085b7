"""DVC's view of a run: what changed, the plots, and experiments that only select and ask no model."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from working_copy import Copy

KEPT = "data/report/metrics/datasets/terse.json"
SWEEP = (0.7, 0.8, 0.9, 1.0)


@pytest.fixture(scope="module")
def committed(made: Copy, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The finished run with its metrics and dvc.lock in git, as a person has it before experiments."""
    copy = made.twin(tmp_path_factory.mktemp("experiments") / "copy")
    # DVC makes commits of its own for experiments and asks git who it is.
    copy.call("git config user.name test && git config user.email test@example.org")
    copy.call("git add -A && git commit -q --allow-empty -m run")
    return copy


def as_json(copy: Copy, command: str) -> Any:
    """What a command of DVC prints as JSON; warnings go before it."""
    output = copy.call(f"{command} --json 2>/dev/null")
    return json.loads(output)


def stages_run(output: str) -> set[str]:
    """The stages that DVC called Snakemake for."""
    return set(re.findall(r"Running stage '([^']+)'", output))


def experiments(copy: Copy) -> dict[str, Any]:
    """The data of each experiment that succeeded, by its name."""
    shown = as_json(copy, "dvc exp show")
    found = [entry for baseline in shown for entry in baseline.get("experiments") or []]
    return {
        revision["name"]: revision["data"]
        for entry in found
        for revision in entry["revs"]
        if entry["executor"]["state"] == "success"
    }


def threshold(experiment: Any) -> float:
    """The min_score that an experiment was run with."""
    params: dict[str, Any] = experiment["params"]["params.yaml"]["data"]
    return float(params["datasets"]["terse"]["min_score"])


def test_dvc_dag_shows_the_way_of_the_data(committed: Copy) -> None:
    edges = set(re.findall(r'"([^"]+)" -> "([^"]+)"', committed.call("dvc dag --dot")))
    way = ["queries", "distill@terse", "dataset@unverified", "train@unverified"]
    way += ["benchmark@unverified", "report"]
    for before, after in itertools.pairwise(way):
        assert (before, after) in edges
    # A student depends on its own dataset, not on those of other students.
    assert ("dataset@terse", "train@unverified") not in edges


def test_dvc_plots_show_the_sources_side_by_side(committed: Copy, tmp_path: Path) -> None:
    shown = as_json(committed, "dvc plots show")["data"]
    drawn = {name: plots[0]["content"]["data"]["values"] for name, plots in shown.items() if plots}
    assert {row["student"] for row in drawn["scores"]} == {"base", "unverified"}
    assert {row["teacher"] for row in drawn["acceptance"]} == {"terse"}
    curve = [row["step"] for row in drawn["loss"] if row["student"] == "unverified"]
    assert curve == [1, 2, 3, 4]
    committed.call(f"dvc plots show --out {tmp_path}")
    page = (tmp_path / "index.html").read_text()
    assert "Score of each student" in page
    assert "Training loss of each student" in page


def test_an_experiment_in_the_workspace_selects_again_and_nothing_else(
    committed: Copy, tmp_path: Path
) -> None:
    copy = committed.twin(tmp_path / "workspace")
    output = copy.call("dvc exp run --set-param datasets.terse.min_score=null")
    assert stages_run(output) == {"dataset@terse", "report"}
    assert as_json(copy, "dvc params diff") == {
        "params.yaml": {"datasets.terse.min_score": {"old": 0.9, "new": None}}
    }
    changed = as_json(copy, "dvc metrics diff")
    # The dataset takes what no verifier accepted, too; it has no student, so no score moves.
    assert set(changed) == {KEPT}
    assert changed[KEPT]["kept"]["new"] > changed[KEPT]["kept"]["old"]
    compared = as_json(copy, "dvc plots diff")["data"]["scores"][0]
    assert {row["rev"] for row in compared["content"]["data"]["values"]} == {"HEAD", "workspace"}
    assert copy.planned() == {}
    assert "up to date" in copy.call("dvc status")


@pytest.mark.campaign
@pytest.mark.timeout(900)
def test_a_queued_sweep_of_thresholds_asks_no_model(committed: Copy, tmp_path: Path) -> None:
    copy = committed.twin(tmp_path / "queue")
    sweep = ",".join(map(str, SWEEP[:-1]))
    copy.call(f"dvc exp run --queue --set-param 'datasets.terse.min_score={sweep}'")
    # The loop has to go on as long as some dataset would take a better answer.
    stricter = f"-S datasets.terse.min_score={SWEEP[-1]} -S distill.stop_score={SWEEP[-1]}"
    copy.call(f"dvc exp run --queue {stricter}")
    try:
        copy.call("dvc exp run --run-all")
        names = experiments(copy)
    finally:
        # A worker that a failed test leaves behind would go on with the queue.
        copy.call("dvc queue stop --kill")
    assert len(names) == len(SWEEP)
    found = {threshold(experiment): name for name, experiment in names.items()}
    assert sorted(found) == list(SWEEP)
    before = as_json(copy, "dvc exp show")[0]["data"]["outs"]["data/distill/terse"]["hash"]
    for score, name in found.items():
        output = copy.call(f"dvc queue logs {name}")
        distilled = {"distill@terse"} if score == 1.0 else set()
        selected = {"dataset@terse", "report"} if score != 0.9 else set()
        assert stages_run(output) == distilled | selected
        # The folder holds the ledger: one more answer of the teacher would be one more record in it.
        assert names[name]["outs"]["data/distill/terse"]["hash"] == before
    kept = [names[found[score]]["metrics"][KEPT]["data"]["kept"] for score in SWEEP]
    assert kept == sorted(kept, reverse=True)
    copy.call(f"dvc exp apply {found[1.0]}")
    assert copy.planned() == {}
    assert "up to date" in copy.call("dvc status")
