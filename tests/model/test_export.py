"""export: what the hub's client loads, what an importer reads back, and whose licences stand in the way."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset

from sourcewise import tables
from sourcewise.__main__ import main
from sourcewise.commands import export as command
from sourcewise.commands.licences import conflicts, hub_licence
from sourcewise.corpus.released import released
from sourcewise.params.distill import Import
from sourcewise.recipes.card import Tally, contents
from sourcewise.tables import Example, Message, Query
from sourcewise.text import query_id

TEXT = "<think>so</think><answer>4</answer>"
TESTS = json.dumps({"language": "python", "tests": ["assert f(1) == 2"]})
QUERIES = [
    Query("", "gsm8k", "math", [Message("user", "2 + 2?")], '{"answer": "4"}', "MIT"),
    Query("", "gsm8k", "math", [Message("user", "1 + 3?")], '{"answer": "4"}', "MIT"),
    Query("", "mbpp", "code", [Message("user", "Write f.")], TESTS, "CC-BY-4.0"),
    Query(
        "",
        "chat",
        "dialogue",
        [
            Message("system", "Be short."),
            Message("user", "Hi"),
            Message("assistant", "Hello"),
            Message("user", "Two twos?"),
        ],
        "",
        "CC-BY-NC-4.0",
    ),
]


def made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Example]:
    """A working copy with a dataset over two shards."""
    monkeypatch.chdir(folder)
    queries = [
        Query(query_id(q.messages), q.source, q.category, q.messages, q.reference, q.licence)
        for q in QUERIES
    ]
    shards = {"b-0000": queries[2:], "a-0000": queries[:2]}
    tally = Tally()
    examples = []
    for shard, own in shards.items():
        own.sort(key=lambda query: query.query_id)
        tables.write(Path(f"data/queries/corpus/{shard}.parquet"), Query, own)
        for query in own:
            turns = [*query.messages, Message("assistant", TEXT)]
            score = None if query.category == "dialogue" else 1.0
            examples.append(Example(query.query_id, query.category, "r1", turns, 9, 2, score, 1.5))
            tally.add(examples[-1], query.source)
    Path("data/queries/manifest.json").write_text(json.dumps({"shards": list(shards)}))
    tables.write(Path("data/datasets/mix/examples.parquet"), Example, examples)
    card = contents(
        "mix",
        {"teachers": ["r1"]},
        {"r1": tally},
        {"r1": [("corpus", 4), ("selected", 4)]},
        {"r1": Counter()},
    )
    Path("data/datasets/mix/card.json").write_text(json.dumps(card))
    return examples


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["export", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_hubs_client_loads_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = made(tmp_path, monkeypatch)
    monkeypatch.setattr(command, "ROWS_PER_FILE", 3)
    assert call("mix", "out", "--records") == 0
    assert {path.name for path in Path("out/data").iterdir()} == {
        "train-00000-of-00002.parquet",
        "train-00001-of-00002.parquet",
    }
    loaded = load_dataset("out", cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == ["train"]
    rows = list(loaded["train"])
    assert [row["query_id"] for row in rows] == [example.query_id for example in examples]
    for row, example in zip(rows, examples, strict=True):
        assert [Message(**turn) for turn in row["messages"]] == example.messages
        assert (row["teacher"], row["attempt"], row["score"]) == ("r1", 2, example.score)
    assert {(row["source"], row["licence"]) for row in rows} == {
        ("gsm8k", "MIT"),
        ("mbpp", "CC-BY-4.0"),
        ("chat", "CC-BY-NC-4.0"),
    }
    text = Path("out/README.md").read_text()
    assert text.startswith("---\nlicense: other\n")
    assert "| gsm8k | MIT | 2 |" in text
    digest = hashlib.sha256(Path("data/datasets/mix/examples.parquet").read_bytes())
    assert digest.hexdigest() in text
    warning = "CC-BY-NC-4.0 allows no commercial use, so the whole allows none"
    assert f"- {warning}" in text
    assert warning in capsys.readouterr().err


def test_records_read_back_as_the_release_that_they_imitate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = made(tmp_path, monkeypatch)
    assert call("mix", "out", "--records") == 0
    files = sorted(Path("out/records").iterdir())
    assert [file.name for file in files] == ["code.jsonl", "math.jsonl", "multiturn.jsonl"]
    source = Import(
        files=tuple(map(str, files)),
        messages="conversations",
        attempts=1,
        published="conversations.-1.info.verify_score",
    )
    found = {one.query_id: one for one in released(source)}
    assert len(found) == len(examples)
    for example in examples:
        # The system prompt stands apart in these records, and is no part of the conversation.
        asked = [turn for turn in example.messages[:-1] if turn.role != "system"]
        one = found[query_id(asked)]
        assert (one.messages, one.response, one.published) == (asked, TEXT, example.score)


def test_a_record_has_the_keys_of_the_release_where_it_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, monkeypatch)
    assert call("mix", "out", "--records") == 0

    def first(name: str) -> dict[str, Any]:
        return json.loads(Path(f"out/records/{name}.jsonl").read_text().splitlines()[0])

    asked, said = first("math")["conversations"]
    assert (asked["from"], said["from"]) == ("human", "assistant")
    assert (asked["info"]["ground_truth"], asked["info"]["source"]) == ("4", "gsm8k")
    assert said["value"] == TEXT
    assert (said["info"]["think_content"], said["info"]["answer_content"]) == ("so", "4")
    assert (said["info"]["verify_score"], said["info"]["ppl"]) == (1.0, 1.5)
    assert first("code")["conversations"][0]["info"]["test_case"] == TESTS
    conversation = first("multiturn")
    assert conversation["system"] == "Be short."
    assert [turn["from"] for turn in conversation["conversations"]] == ["human", "assistant"] * 2
    n_loaded = 0
    for path in Path("out/records").iterdir():
        rows = load_dataset("json", data_files=str(path), cache_dir=str(tmp_path / "cache"))
        n_loaded += len(rows["train"])
    assert n_loaded == len(QUERIES)


def test_what_cannot_be_exported_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path, monkeypatch)
    assert call("mux", "out") == 2
    assert (
        "data/datasets/mux/examples.parquet does not exist; there are ['mix']"
        in capsys.readouterr().err
    )
    Path("taken").mkdir()
    assert call("mix", "taken") == 2
    assert "taken exists" in capsys.readouterr().err
    tables.write(Path("data/queries/corpus/a-0000.parquet"), Query, [])
    assert call("mix", "out") == 2
    assert "is not in the corpus, which has changed since" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"data", "taken"}


@pytest.mark.parametrize(
    ("licences", "found"),
    [
        (["MIT", "Apache-2.0", "CC0-1.0", "CC-BY-4.0"], []),
        (["CC-BY-NC-4.0"], []),
        (["MIT", "CC-BY-SA-4.0"], []),
        (["MIT", "unknown"], ["unknown: the name does not say"]),
        (["CC-BY-ND-4.0"], ["CC-BY-ND-4.0 does not allow to pass on"]),
        (["CC-BY-SA-4.0", "GPL-3.0"], ["CC-BY-SA-4.0 and GPL-3.0 each ask"]),
        (
            ["CC-BY-SA-4.0", "research use only"],
            ["CC-BY-SA-4.0 asks that the whole", "research use only allows no commercial use"],
        ),
    ],
)
def test_conflicts_are_named(licences: list[str], found: list[str]) -> None:
    said = conflicts(licences)
    assert len(said) == len(found)
    assert all(any(one.startswith(start) for one in said) for start in found)


@pytest.mark.parametrize(
    ("licences", "name"),
    [
        (["MIT"], "mit"),
        (["CC-BY-SA-4.0"], "cc-by-sa-4.0"),
        (["MIT", "Apache-2.0"], "other"),
        (["research use only"], "other"),
        (["unknown"], "other"),
    ],
)
def test_one_known_licence_is_the_hubs(licences: list[str], name: str) -> None:
    assert hub_licence(licences) == name
