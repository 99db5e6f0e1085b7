"""collect from a hub: a data set in the hub's layout is streamed and pinned to a revision."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sourcewise import tables
from sourcewise.corpus.hub import rows as rows_of
from sourcewise.corpus.reading import RowError
from sourcewise.corpus.released import released
from sourcewise.params.distill import Import
from sourcewise.params.queries import Columns, Hub, Questions
from sourcewise.stages import collect
from sourcewise.tables import Query, Reject

ROWS = [{"conversations": [{"from": "human", "value": f"What is {n} + 1?"}]} for n in range(5)]


def _dataset(folder: Path) -> Path:
    """A folder as `git clone` of a data set gives it: a card and files by split."""
    repo = folder / "data set"
    (repo / "data").mkdir(parents=True)
    (repo / "README.md").write_text(
        "---\nconfigs:\n- config_name: maths\n  data_files:\n"
        "  - split: train\n    path: data/train-*.jsonl\n---\n"
    )
    for part in range(2):
        lines = "".join(json.dumps(row) + "\n" for row in ROWS[part * 3 : part * 3 + 3])
        (repo / f"data/train-{part}.jsonl").write_text(lines)
    return repo


def _collect(folder: Path, hub: Hub, columns: Columns, limit: int | None = None) -> list[Query]:
    origin = Questions(category="math", licence="MIT", hub=hub, columns=columns, limit=limit)
    out = folder / "out.parquet"
    collect.run(
        name="sums",
        origin=origin,
        seed=1,
        planted=(),
        out=out,
        rejects=folder / "rejects.parquet",
    )
    return list(tables.read(out, Query))


def _texts(queries: list[Query]) -> set[str]:
    return {query.messages[0].content for query in queries}


def test_rows_of_a_split_are_streamed_in_order(tmp_path: Path) -> None:
    hub = Hub(repo=str(_dataset(tmp_path)), revision="main", split="train", subset="maths")
    queries = _collect(tmp_path, hub, Columns(messages="conversations"))
    assert _texts(queries) == {f"What is {n} + 1?" for n in range(5)}
    limited = _collect(tmp_path, hub, Columns(prompt="conversations.0.value"), limit=2)
    assert _texts(limited) == {"What is 0 + 1?", "What is 1 + 1?"}


def test_a_row_that_cannot_be_used_names_data_set_revision_and_row(tmp_path: Path) -> None:
    repo = _dataset(tmp_path)
    with (repo / "data/train-1.jsonl").open("a") as file:
        file.write(json.dumps({"conversations": [{"from": "gpt", "value": "hm"}]}) + "\n")
    hub = Hub(repo=str(repo), revision="abc123", split="train", subset="maths")
    assert len(_collect(tmp_path, hub, Columns(messages="conversations"))) == 5
    [reject] = tables.read(tmp_path / "rejects.parquet", Reject)
    assert reject.value.startswith(f"{repo}@abc123/train:6: ")


def test_a_data_set_that_cannot_be_read_names_it_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub = Hub(repo=str(tmp_path / "gone"), revision="main", split="train")
    with pytest.raises(ValueError, match=r"gone.* cannot be read .*correct 'repo'"):
        _collect(tmp_path, hub, Columns(prompt="q"))


DRIFTING = {
    "math.jsonl": [
        {"conversations": [{"from": "human", "value": "1 + 1?", "info": {"ground_truth": "2"}}]},
        {"conversations": [{"from": "human", "value": "1 + 2?", "info": {"ground_truth": 3}}]},
    ],
    "code.jsonl": [
        {
            "system": None,
            "conversations": [
                {"from": "human", "value": "Write f.", "info": {"test_case": {"call_type": "std"}}},
                {"from": "assistant", "value": "def f(): \u2028 ...", "info": None},
            ],
        },
    ],
}


def _drifting(folder: Path) -> str:
    for name, rows in DRIFTING.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / name).write_text(lines)
    return str(folder)


def test_files_whose_rows_differ_in_their_columns_are_streamed_as_they_are(tmp_path: Path) -> None:
    repo = _drifting(tmp_path)
    hub = Hub(repo=repo, revision="abc123", files=("math.jsonl", "code.jsonl"))
    assert [row for _, row in rows_of(hub)] == [*DRIFTING["math.jsonl"], *DRIFTING["code.jsonl"]]
    places = [place for place, _ in rows_of(hub)]
    assert places[1:] == [f"{repo}@abc123/math.jsonl:2", f"{repo}@abc123/code.jsonl:1"]


def test_a_line_that_is_no_row_names_data_set_file_and_line(tmp_path: Path) -> None:
    repo = _drifting(tmp_path)
    with (tmp_path / "math.jsonl").open("a") as file:
        file.write("{]\n")
    hub = Hub(repo=repo, revision="abc123", files=("math.jsonl",))
    with pytest.raises(RowError, match=r"@abc123/math\.jsonl:3: not JSON"):
        list(rows_of(hub))
    refused: list[RowError] = []
    assert len(list(rows_of(hub, malformed=refused.append))) == 2
    assert "math.jsonl:3: not JSON" in str(refused[0])


def test_a_hub_is_a_teacher(tmp_path: Path) -> None:
    hub = Hub(repo=_drifting(tmp_path), revision="abc123", files=("code.jsonl",))
    [one] = released(Import(hub=hub, messages="conversations", attempts=1))
    assert [turn.content for turn in one.messages] == ["Write f."]
    assert one.response == "def f(): \u2028 ..."
