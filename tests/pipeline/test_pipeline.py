"""The whole DAG on the smallest preset: both entry points, from nothing, and what each thinks afterwards."""

import json
from pathlib import Path

import pytest
import yaml

from sourcewise.dag.workspace import make
from sourcewise.tables import Query, Response, read
from working_copy import ROOT, Copy, copy_of


def test_snakemake_makes_the_report(made: Copy) -> None:
    page = (made.folder / "data/report/index.html").read_text()
    assert "The test preset" in page


def test_after_snakemake_neither_tool_has_anything_to_do(made: Copy) -> None:
    assert made.planned() == {}
    assert "up to date" in made.call("dvc status")
    assert "Running stage" not in made.call("dvc repro")


def test_dvc_repro_makes_the_same_report_and_leaves_snakemake_nothing(
    made: Copy, tmp_path: Path
) -> None:
    copy = copy_of(tmp_path / "dvc")
    copy.call("dvc repro")
    assert copy.planned() == {}
    assert "up to date" in copy.call("dvc status")
    for name in ("data/report/index.html", "data/report/summary.json"):
        assert (copy.folder / name).read_bytes() == (made.folder / name).read_bytes(), name


def test_a_wrong_key_stops_everything_with_its_name(made: Copy) -> None:
    made.edit("max_attempts: 2", "max_atempts: 2")
    said = made.refused("snakemake -n")
    made.edit("max_atempts: 2", "max_attempts: 2")
    assert "unknown key distill.max_atempts; did you mean 'max_attempts'?" in said


@pytest.mark.parametrize(
    ("preset", "jobs"),
    [
        # 118 shards x 3 teachers x (4 rounds x 2 + perplexity) = 3,186 of the distillation alone.
        ("paper", {"generate": 1416, "verify": 1416, "perplexity": 354, "decontaminate": 118}),
        ("released", {"collect": 6, "generate": 236, "verify": 236, "perplexity": 236}),
        ("tiny", {"generate": 9, "verify": 9, "perplexity": 3, "decontaminate": 1}),
    ],
)
def test_a_preset_dry_runs_to_its_complete_job_list(
    tmp_path: Path, preset: str, jobs: dict[str, int]
) -> None:
    make(tmp_path / preset, ROOT / f"workflow/presets/{preset}.yaml")
    if preset == "released":
        for release in ("AM-Thinking-v1-Distilled", "AM-Qwen3-Distilled"):
            (folder := tmp_path / preset / "data/raw" / release).mkdir(parents=True)
            for file in ("math", "code", "science", "if", "multiturn", "other"):
                (folder / f"{file}.jsonl").touch()
    planned = Copy(tmp_path / preset).planned()
    assert jobs.items() <= planned.items()
    assert planned["report"] == 1


def test_an_experiment_makes_what_its_arms_need_and_nothing_else(tmp_path: Path) -> None:
    make(tmp_path / "tiny", ROOT / "workflow/presets/tiny.yaml")
    planned = Copy(tmp_path / "tiny").planned("experiment@unverified")
    # Two students of one teacher, at four benchmarks; no report, which compares all students.
    arms = {"generate": 3, "select": 2, "train": 2, "sample": 2, "grade": 8}
    assert arms.items() <= planned.items()
    assert "report" not in planned


def test_what_a_hub_holds_is_a_source_and_a_teacher(tmp_path: Path) -> None:
    make(tmp_path / "copy", ROOT / "workflow/presets/test.yaml")
    copy = Copy(tmp_path / "copy")
    folder = copy.folder / "data/raw/set"
    folder.mkdir(parents=True)
    rows = [[("human", f"What is {n} + 1?"), ("gpt", str(n + 1))] for n in range(3)]
    turns = [[{"from": who, "value": text} for who, text in row] for row in rows]
    lines = (json.dumps({"conversations": row}) + "\n" for row in turns)
    (folder / "other.jsonl").write_text("".join(lines))
    path = copy.folder / "params.yaml"
    params = yaml.safe_load(path.read_text())
    hub = {"repo": "data/raw/set", "revision": "abc123", "files": ["other.jsonl"]}
    origin = {"category": "dialogue", "licence": "MIT", "hub": hub}
    params["sources"]["hub"] = {
        **origin,
        "shards": 1,
        "columns": {"messages": "conversations"},
    }
    params["clean"]["order"].append("hub")
    params["teachers"]["hub"] = {
        "revision": "abc123",
        "wrap": {"rule": "whole"},
        "import": {"hub": hub, "messages": "conversations", "attempts": 1},
    }
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    made = "data/distill/hub/round-1/hub-0000.responses.parquet"
    copy.call(f"snakemake --cores 1 {made}")
    queries = read(copy.folder / "data/queries/collected/hub.parquet", Query)
    asked = {query.query_id: query.messages[0].content for query in queries}
    texts = {asked[one.query_id]: one.text for one in read(copy.folder / made, Response)}
    assert texts == {f"What is {n} + 1?": f"<answer>{n + 1}</answer>" for n in range(3)}
