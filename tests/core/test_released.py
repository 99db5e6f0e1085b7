"""Released responses: two sets in their authors' format become parallel attempts at one corpus."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sourcewise.corpus.reading import RowError, pick
from sourcewise.corpus.released import Released, released
from sourcewise.params.distill import Import, Teacher
from sourcewise.params.queries import Questions
from sourcewise.report.published import agreement
from sourcewise.stages import collect, generate
from sourcewise.tables import Message, Query, Response, Verdict, read
from sourcewise.text import query_id

SYSTEM = "You are a helpful assistant. To answer the user's question, you first think."
TESTS = {"call_type": "assert", "fn_name": "f", "assert_case": ["assert f(1) == 1"]}
# Per file: info of the human turn. The six files of a set do not share one schema.
FILES: dict[str, dict[str, Any]] = {
    "math": {"source": "a", "category": "math", "ground_truth": "4"},
    "code": {
        "source": "b",
        "category": "code",
        "ground_truth": None,
        "test_case": json.dumps(TESTS),
    },
    "science": {"category": "science", "ground_truth": 7},
    "if": {"instruction_constrain": {"instruction_id_list": ["x"], "kwargs": [{}]}},
    "multiturn": {},
    "other": {"source": "c", "test_case": None},
}
N = 20


def row(kind: str, number: int, teacher: str) -> dict[str, Any]:
    """A row as the data card describes it, with what differs between the files."""
    asked = [("human", f"{kind} question {number}?", FILES[kind])]
    if kind == "multiturn":
        asked += [("assistant", "Go on.", {}), ("human", f"and {number + 1}?", {})]
    said = f"<think>{teacher} thinks of {number}</think><answer>{number}</answer>"
    info: dict[str, Any] = {"verify_score": 0.9 + number / 1000, "model_name": teacher, "ppl": 2.1}
    if kind == "other":
        del info["verify_score"]
    turns = [{"from": who, "value": text, "info": about} for who, text, about in asked]
    found: dict[str, Any] = {
        "conversations": [*turns, {"from": "assistant", "value": said, "info": info}]
    }
    # Empty, null or absent.
    found |= {"math": {"system": SYSTEM}, "code": {"system": None}, "if": {"system": ""}}.get(
        kind, {}
    )
    return found


def release(folder: Path, teacher: str, seed: int) -> dict[str, Any]:
    """Writes the six files of a teacher, each in an order of its own; the import that reads them."""
    folder.mkdir()
    for kind in FILES:
        rows = [row(kind, number, teacher) for number in range(N)]
        random.Random(seed).shuffle(rows)
        (folder / f"{kind}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    return {
        "files": [str(folder / f"{kind}.jsonl") for kind in FILES],
        "messages": "conversations",
        "published": "conversations.-1.info.verify_score",
        "attempts": 1,
    }


def source(**fields: Any) -> Import:
    return Import.model_validate_json(json.dumps(fields))


REFERENCES = {
    "math": ("math", {"reference": "conversations.0.info.ground_truth"}),
    "code": (
        "code",
        {"reference": "conversations.0.info.test_case", "reference_format": "tests"},
    ),
    "multiturn": ("dialogue", {}),
}


def corpus(folder: Path, kind: str, file: str) -> Path:
    """The queries of one file of a set, collected as preset `released` does."""
    category, reference = REFERENCES[kind]
    origin = {
        "category": category,
        "licence": "research use only",
        "files": [file],
        "columns": {"messages": "conversations", **reference},
    }
    out = folder / f"{kind}.parquet"
    collect.run(
        name=kind,
        origin=Questions.model_validate_json(json.dumps(origin)),
        seed=1,
        planted=(),
        out=out,
        rejects=folder / f"{kind}.rejects.parquet",
    )
    return out


def responses(folder: Path, name: str, given: dict[str, Any], queries: Path) -> list[Response]:
    teacher = {"revision": "released", "wrap": {"rule": "none"}, "import": given}
    out = folder / f"{name}.{queries.stem}.parquet"
    generate.run(
        name=name,
        teacher=Teacher.model_validate_json(json.dumps(teacher)),
        seed=7,
        attempt=1,
        stop_score=None,
        futility=None,
        queries=queries,
        verdicts=(),
        ledger=folder / f"{name}.ledger",
        out=out,
    )
    return list(read(out, Response))


@pytest.mark.parametrize("kind", REFERENCES)
def test_two_released_sets_in_different_orders_are_parallel(tmp_path: Path, kind: str) -> None:
    sets = {name: release(tmp_path / name, name, seed) for seed, name in enumerate(("am", "qwen3"))}
    file = next(file for file in sets["am"]["files"] if f"{kind}.jsonl" in file)
    queries = corpus(tmp_path, kind, file)
    asked = list(read(queries, Query))
    assert len(asked) == N
    if kind == "multiturn":
        assert [turn.role for turn in asked[0].messages] == ["user", "assistant", "user"]
    for name, given in sets.items():
        rows = responses(tmp_path, name, given, queries)
        assert [one.query_id for one in rows] == [query.query_id for query in asked]
        for query, one in zip(asked, rows, strict=True):
            number = int(query.messages[0].content.rstrip("?").rpartition(" ")[2])
            assert one.text == f"<think>{name} thinks of {number}</think><answer>{number}</answer>"


def test_references_are_taken_over(tmp_path: Path) -> None:
    given = release(tmp_path / "am", "am", 1)
    [math] = {query.reference for query in read(corpus(tmp_path, "math", given["files"][0]), Query)}
    assert "4" in math
    [code] = {query.reference for query in read(corpus(tmp_path, "code", given["files"][1]), Query)}
    assert json.loads(code)["fn_name"] == "f"


def test_the_published_score_stays_with_its_response(tmp_path: Path) -> None:
    given = release(tmp_path / "am", "am", 3)
    found = {one.place: one for one in released(source(**given))}
    assert len(found) == N * len(FILES)
    for one in found.values():
        number = int(str(one.response).rpartition("<answer>")[2].partition("<")[0])
        if "other question" in one.messages[0].content:
            assert one.published is None
        else:
            assert one.published == pytest.approx(0.9 + number / 1000)


def read_one(tmp_path: Path, content: dict[str, Any], **fields: Any) -> Released:
    file = tmp_path / "one.jsonl"
    file.write_text(json.dumps(content) + "\n")
    [one] = released(source(files=[str(file)], attempts=1, **fields))
    return one


@pytest.mark.parametrize(
    ("value", "published"), [(True, True), (False, False), (1, 1.0), (0.95, 0.95), (None, None)]
)
def test_a_published_verdict_is_true_false_or_a_score(
    tmp_path: Path, value: Any, published: bool | float | None
) -> None:
    content = {"q": "?", "a": "!", "ok": value}
    one = read_one(tmp_path, content, prompt="q", response="a", published="ok")
    assert one.published == published
    assert type(one.published) is type(published)


@pytest.mark.parametrize(
    ("theirs", "ours", "agreed"),
    [
        (1.0, 0.95, True),
        (0.9, 0.95, True),
        (0.85, 0.95, False),
        (1.0, 0.85, False),
        (True, 0.95, False),
    ],
)
def test_a_score_is_compared_at_the_loops_threshold_and_a_verdict_at_the_full_score(
    tmp_path: Path, theirs: bool | float, ours: float, agreed: bool
) -> None:
    content = {"q": "?", "a": "!", "ok": theirs}
    one = read_one(tmp_path, content, prompt="q", response="a", published="ok")
    assert one.published is not None
    verdict = Verdict(one.query_id, 1, "scored", ours, "", "dialogue", "1")
    found = agreement("a", {(one.query_id, 1): one.published}, [verdict], stop_score=0.9)
    assert (found.compared, found.agreed, len(found.differing)) == (1, agreed, not agreed)


PARTS = {"think_content": "2 and 2", "answer_content": "4"}


@pytest.mark.parametrize(
    ("value", "info", "response"),
    [
        ("<think>a</think>b", PARTS, "<think>a</think>b"),
        ("<think>cut off", PARTS, "<think>cut off"),
        ("4", PARTS, "<think>2 and 2</think><answer>4</answer>"),
        (None, PARTS, "<think>2 and 2</think><answer>4</answer>"),
        ("4", {"think_content": "", "answer_content": "4"}, "4"),
        ("4", None, "4"),
        (None, None, None),
        (None, {"think_content": "2 and 2", "answer_content": None}, None),
    ],
)
def test_the_parts_of_a_response_count_where_its_text_lacks_the_tags(
    tmp_path: Path, value: str | None, info: dict[str, str] | None, response: str | None
) -> None:
    turns = [
        {"from": "human", "value": "2 + 2?"},
        {"from": "assistant", "value": value, "info": info},
    ]
    one = read_one(tmp_path, {"conversations": turns}, messages="conversations")
    assert (one.response, one.query_id) == (response, query_id([Message("user", "2 + 2?")]))


def test_reasoning_that_a_server_kept_apart_is_put_back(tmp_path: Path) -> None:
    said = {"role": "assistant", "content": "4", "reasoning_content": "2 and 2"}
    turns = [{"role": "user", "content": "2 + 2?"}, said]
    one = read_one(tmp_path, {"m": turns}, messages="m")
    assert one.response == "<think>2 and 2</think>4"


@pytest.mark.parametrize("value", ["maybe", 7, -0.1, float("nan")])
def test_a_published_verdict_of_another_kind_is_an_error(tmp_path: Path, value: Any) -> None:
    content = {"q": "?", "a": "!", "ok": value}
    with pytest.raises(RowError, match=r"one\.jsonl:1: column 'ok' holds .*score from 0 to 1"):
        read_one(tmp_path, content, prompt="q", response="a", published="ok")


def test_a_published_column_that_no_row_has_is_an_error_that_names_those_there_are(
    tmp_path: Path,
) -> None:
    with pytest.raises(ValueError, match=r"one\.jsonl:1: no column 'okay' \(there are: q, a, ok\)"):
        read_one(
            tmp_path, {"q": "?", "a": "!", "ok": 1}, prompt="q", response="a", published="okay"
        )


def test_openai_messages_end_with_the_response(tmp_path: Path) -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "2 + 2?"},
        {"role": "assistant", "content": "4"},
    ]
    one = read_one(tmp_path, {"messages": turns}, messages="messages")
    assert one.response == "4"
    asked = [Message("system", "Be brief."), Message("user", "2 + 2?")]
    assert (one.messages, one.query_id) == (asked, query_id(asked))
    assert read_one(tmp_path, {"messages": turns[:2]}, messages="messages").response is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"turns": []}, r"one\.jsonl:1: no column 'messages' \(there are: turns\)"),
        ({"messages": "hello"}, r"one\.jsonl:1: column 'messages' is not a list"),
        ({"messages": [{"role": "user", "content": 5}]}, r"one\.jsonl:1: column 'messages' is not"),
    ],
)
def test_a_row_without_a_conversation_is_an_error_with_its_place(
    tmp_path: Path, content: dict[str, Any], message: str
) -> None:
    with pytest.raises(RowError, match=message):
        read_one(tmp_path, content, messages="messages")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"files": ["a.jsonl"], "prompt": "q"}, "'prompt' and 'response', or the key 'messages'"),
        (
            {"files": ["a.jsonl"], "prompt": "q", "response": "a", "messages": "m"},
            "'prompt' and 'response', or the key 'messages'",
        ),
        ({"messages": "m"}, "exactly one of the keys 'files' and 'hub'"),
        (
            {"messages": "m", "hub": {"repo": "a/b", "revision": "c"}},
            "exactly one of the keys 'split' and 'files'",
        ),
    ],
)
def test_an_import_says_once_where_its_rows_and_columns_are(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        source(attempts=1, **fields)


def test_the_last_of_a_list_is_found_from_its_end() -> None:
    assert pick({"turns": [{"n": 1}, {"n": 2}]}, "turns.-1.n") == 2
    with pytest.raises(KeyError, match=r"turns\.-3"):
        pick({"turns": [1, 2]}, "turns.-3")


def test_memory_does_not_grow_with_the_release(tmp_path: Path) -> None:
    file = tmp_path / "large.jsonl"
    with file.open("w") as lines:
        for number in range(20_000):
            turns = [{"from": "human", "value": f"{number}?"}, {"from": "gpt", "value": "x" * 2000}]
            lines.write(json.dumps({"conversations": turns}) + "\n")

    def rows() -> Iterator[Released]:
        return released(source(files=[str(file)], messages="conversations", attempts=1))

    tracemalloc.start()
    n = sum(1 for _ in rows())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n == 20_000
    assert peak < 8_000_000, "the texts are 40 MB; what is kept is a count by query"
