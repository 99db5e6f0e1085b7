"""What people and machines do to the files: one clear line, and never a wrong "up to date"."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from working_copy import Copy

CARD = "data/datasets/terse/card.json"
SHARD = "data/distill/terse/round-1"


@pytest.fixture
def copy(made: Copy, tmp_path: Path) -> Copy:
    return made.twin(tmp_path / "twin")


def test_an_unknown_teacher_of_a_dataset_is_named(copy: Copy) -> None:
    copy.edit("teachers: [terse]", "teachers: [tersee]")
    said = copy.refused("snakemake -n")
    assert (
        "datasets.terse.teachers: 'tersee' is not one of ['terse']; did you mean 'terse'?" in said
    )


def test_a_deleted_file_is_made_anew_with_what_follows_from_it(copy: Copy) -> None:
    responses = sorted((copy.folder / SHARD).glob("*.responses.parquet"))[0]
    before = responses.read_bytes()
    responses.unlink()
    assert copy.planned()["generate"] >= 1
    assert "modified" in copy.call("dvc status distill@terse")
    output = copy.call("snakemake --cores 2")
    # Every answer is in the ledger, so the file is the same and what lies behind it is spared.
    assert responses.read_bytes() == before
    assert output.count("rule generate:") == 1
    assert "rule train:" not in output
    assert "up to date" in copy.call("dvc status")


def test_a_file_that_was_edited_by_hand_is_stale(copy: Copy) -> None:
    (copy.folder / CARD).write_text("{}\n")
    output = copy.call("snakemake -n --quiet rules")
    assert f"{CARD}: not what data/prov/dataset@terse.jsonl.gz describes" in output
    assert copy.planned() == {"filter": 1, "report": 1}
    assert "dataset@terse" in copy.call("dvc status")
    copy.call("dvc checkout --quiet --force dataset@terse")
    assert copy.planned() == {}
    assert "up to date" in copy.call("dvc status")


def test_a_table_of_the_report_that_was_deleted_is_made_anew(copy: Copy) -> None:
    (copy.folder / "data/report/plots/scores.json").unlink()
    output = copy.call("snakemake -n --quiet rules")
    assert "data/report/plots/scores.json: missing or damaged" in output
    assert copy.planned() == {"report": 1}
    copy.call("snakemake --cores 2")
    assert (copy.folder / "data/report/plots/scores.json").exists()
    assert "up to date" in copy.call("dvc status")


def test_a_file_that_was_only_touched_is_not_stale(copy: Copy) -> None:
    for file in (copy.folder / "data").rglob("*.parquet"):
        file.touch()
    assert copy.planned() == {}


def test_a_file_that_dvc_brought_without_its_sidecar_is_stale(copy: Copy) -> None:
    sidecar = copy.folder / "data/prov/dataset@terse.jsonl.gz"
    shutil.rmtree(copy.folder / ".snakemake")
    sidecar.unlink()
    planned = copy.planned()
    assert planned["select"] == 1
    assert planned["filter"] == 1
    assert "generate" not in planned


def test_records_that_were_deleted_are_taken_from_the_sidecars(copy: Copy) -> None:
    shutil.rmtree(copy.folder / ".snakemake")
    output = copy.call("snakemake -n --quiet rules")
    assert "adopted" in output
    assert copy.planned() == {}


def test_a_torn_sidecar_is_named_with_the_remedy(copy: Copy) -> None:
    sidecar = copy.folder / "data/prov/dataset@terse.jsonl.gz"
    sidecar.write_bytes(sidecar.read_bytes()[:300])
    said = copy.refused("snakemake -n")
    assert "data/prov/dataset@terse.jsonl.gz cannot be read" in said
    assert "dvc checkout" in said
    copy.call("dvc checkout --quiet --force data/prov/dataset@terse.jsonl.gz")
    assert copy.planned() == {}


def test_an_edited_dvc_lock_is_noticed_and_mended(copy: Copy) -> None:
    path = copy.folder / "dvc.lock"
    right = yaml.safe_load(path.read_text())
    wrong = yaml.safe_load(path.read_text())
    wrong["stages"]["dataset@terse"]["outs"][0]["md5"] = "0" * 32 + ".dir"
    path.write_text(yaml.safe_dump(wrong, sort_keys=False))
    assert "dataset@terse" in copy.call("dvc status")
    output = copy.call("snakemake --cores 2")
    assert "committed 1 stages to DVC" in output
    assert yaml.safe_load(path.read_text()) == right
    assert "up to date" in copy.call("dvc status")


def test_a_missing_cache_file_is_named_and_its_result_made_anew(copy: Copy) -> None:
    lock = yaml.safe_load((copy.folder / "dvc.lock").read_text())
    digest = next(
        out["md5"]
        for out in lock["stages"]["dataset@terse"]["outs"]
        if out["path"] == "data/prov/dataset@terse.jsonl.gz"
    )
    cached = copy.folder / f".dvc/cache/files/md5/{digest[:2]}/{digest[2:]}"
    cached.unlink()
    shutil.rmtree(copy.folder / "data/datasets/terse")
    (copy.folder / "data/prov/dataset@terse.jsonl.gz").unlink()
    assert "data/prov/dataset@terse.jsonl.gz" in copy.refused("dvc checkout dataset@terse")
    assert copy.planned()["filter"] == 1
    copy.call("snakemake --cores 2")
    assert copy.planned() == {}
    assert "up to date" in copy.call("dvc status")
    lock = yaml.safe_load((copy.folder / "dvc.lock").read_text())
    for out in lock["stages"]["dataset@terse"]["outs"]:
        digest = out["md5"]
        assert (copy.folder / f".dvc/cache/files/md5/{digest[:2]}/{digest[2:]}").exists()


def test_a_raw_file_counts_by_its_content_in_both_tools(copy: Copy) -> None:
    raw = copy.folder / "data/raw/questions.jsonl"
    raw.write_text('{"question": "What is 2 + 2?", "answer": "4"}\n')
    params = yaml.safe_load((copy.folder / "params.yaml").read_text())
    params["sources"]["instruction"] = {
        **{key: params["sources"]["instruction"][key] for key in ("licence", "shards")},
        "category": "math",
        "files": ["data/raw/questions.jsonl"],
        "columns": {"prompt": "question", "reference": "answer"},
    }
    (copy.folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    copy.call("snakemake --cores 2 -- queries")
    target = "snakemake -n --quiet rules -- queries"
    assert "Nothing to be done" in copy.call(target)
    assert "up to date" in copy.call("dvc status queries")
    raw.touch()
    assert "Nothing to be done" in copy.call(target)
    raw.write_text('{"question": "What is 2 + 3?", "answer": "5"}\n')
    assert "collect" in copy.call(target)
    assert "data/raw" in copy.call("dvc status queries")


def test_a_raw_file_outside_of_what_dvc_watches_is_refused(copy: Copy) -> None:
    params = yaml.safe_load((copy.folder / "params.yaml").read_text())
    source = params["sources"]["instruction"]
    del source["synthetic"]
    source |= {"files": ["../elsewhere.jsonl"], "columns": {"prompt": "question"}}
    (copy.folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    said = copy.refused("snakemake -n")
    assert "../elsewhere.jsonl" in said
    assert "data/raw" in said
