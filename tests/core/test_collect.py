"""collect: rows of files and of the generator become queries, and what cannot is a reject."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sourcewise import tables
from sourcewise.corpus.references import FORMATS
from sourcewise.params.queries import Columns, Questions
from sourcewise.stages import collect
from sourcewise.tables import Message, Query, Reject
from sourcewise.text import normalise, query_id, query_text, units

SHARED = Path("../shared/data")


def _collect(
    folder: Path, planted: tuple[Path, ...] = (), name: str = "source", **origin: Any
) -> tuple[list[Query], list[Reject]]:
    given = {"category": "math", "licence": "MIT", **origin}
    out, rejects = folder / f"{name}.parquet", folder / f"{name}.rejects.parquet"
    collect.run(
        name=name,
        origin=Questions.model_validate_json(json.dumps(given)),
        seed=7,
        planted=planted,
        out=out,
        rejects=rejects,
    )
    return list(tables.read(out, Query)), list(tables.read(rejects, Reject))


def _lines(folder: Path, *rows: Any) -> str:
    path = folder / "rows.jsonl"
    text = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(text), encoding="utf-8")
    return str(path)


PROMPTS = {"prompt": "q", "reference": "a"}


def test_a_row_becomes_a_query_with_the_identity_of_its_text(tmp_path: Path) -> None:
    file = _lines(tmp_path, {"q": " What is 1 + 1? ", "a": 2})
    queries, rejects = _collect(tmp_path, files=[file], columns=PROMPTS)
    turns = [Message("user", "What is  1 + 1?")]
    assert rejects == []
    assert queries == [
        Query(
            query_id(turns),
            "source",
            "math",
            [Message("user", " What is 1 + 1? ")],
            '{"answer": "2"}',
            "MIT",
        )
    ]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ('{"q": "What', "not JSON"),
        ({"q": "What is 1 + 1?"}, r"no column 'a' \(there are: q\)"),
        ({"q": None, "a": "2"}, "column 'q' is not text but NoneType"),
        ({"q": "What is 1 + 1?", "a": None}, "column 'a' is empty"),
        ('{"q": "half \\ud83d", "a": "2"}', "half of a surrogate pair"),
    ],
)
def test_a_malformed_row_is_a_reject_with_file_and_line(
    tmp_path: Path, row: Any, what: str
) -> None:
    file = _lines(tmp_path, {"q": "What is 2 + 2?", "a": "4"}, row)
    queries, rejects = _collect(tmp_path, files=[file], columns=PROMPTS)
    assert len(queries) == 1
    [reject] = rejects
    assert (reject.query_id, reject.by, reject.reason) == ("", "collect", "malformed_row")
    assert reject.value.startswith(f"{file}:2: ")
    with pytest.raises(AssertionError, match=what):
        raise AssertionError(reject.value)


def test_a_source_without_a_usable_row_is_an_error_that_names_the_first(tmp_path: Path) -> None:
    file = _lines(tmp_path, {"question": "1 + 1?"}, {"question": "2 + 2?"})
    with pytest.raises(ValueError, match=r"none of its 2 rows .*rows\.jsonl:1: no column 'q'"):
        _collect(tmp_path, files=[file], columns=PROMPTS)
    assert not (tmp_path / "source.parquet").exists()


def test_files_of_other_columns_and_types_are_read_row_by_row(tmp_path: Path) -> None:
    mixed = _lines(tmp_path, {"q": "1 + 1?", "a": "2"}, {"q": ["1 + 2?"], "a": 3}, {"\ud800": "x"})
    pq.write_table(pa.table({"q": ["2 + 2?"], "a": [4]}), tmp_path / "numbers.parquet")
    pq.write_table(pa.table({"question": ["2 + 3?"]}), tmp_path / "other.parquet")
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "texts.csv").write_text("a,q,more\n6,3 + 3?,x\n")
    names = ("numbers.parquet", "other.parquet", "empty.jsonl", "texts.csv")
    files = [mixed, *(str(tmp_path / name) for name in names)]
    queries, rejects = _collect(tmp_path, files=files, columns=PROMPTS)
    assert sorted(query.reference for query in queries) == [
        '{"answer": "2"}',
        '{"answer": "4"}',
        '{"answer": "6"}',
    ]
    assert [reject.value.removeprefix(f"{tmp_path}/") for reject in rejects] == [
        "rows.jsonl:2: column 'q' is not text but list",
        "rows.jsonl:3: no column 'q' (there are: \\ud800)",
        "other.parquet:1: no column 'q' (there are: question)",
    ]


def test_a_reference_that_is_nested_too_deep_is_malformed(tmp_path: Path) -> None:
    deep = "[" * 99_999 + "]" * 99_999
    file = _lines(tmp_path, {"q": "1 + 1?", "a": "{}"}, {"q": "1 + 2?", "a": deep})
    columns = PROMPTS | {"reference_format": "json"}
    _, [reject] = _collect(tmp_path, files=[file], columns=columns)
    assert ":2: the reference is not JSON" in reject.value


def test_a_row_of_50_mb_is_a_row_like_others(tmp_path: Path) -> None:
    long = "lorem ipsum 12 " * (50_000_000 // 15)
    asked = ("1 + 1?", long, "2 + 2?")
    torn = json.dumps({"q": long})[:-1]
    file = _lines(tmp_path, *({"q": text, "a": "2"} for text in asked), torn)
    queries, [reject] = _collect(tmp_path, files=[file], columns=PROMPTS)
    assert sorted(len(query_text(query.messages)) for query in queries) == [6, 6, len(long)]
    assert f"{file}:4: not JSON" in reject.value


def test_an_empty_source_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="source is empty: its origin holds no row; correct"):
        _collect(tmp_path, files=[_lines(tmp_path)], columns=PROMPTS)


def test_a_limit_takes_the_first_rows(tmp_path: Path) -> None:
    file = _lines(tmp_path, *({"q": f"What is {i} + 1?", "a": str(i + 1)} for i in range(9)))
    queries, _ = _collect(tmp_path, files=[file], columns=PROMPTS, limit=3)
    assert {query.messages[0].content[8] for query in queries} == {"0", "1", "2"}


def test_a_date_window_holds_its_first_day_and_not_its_last(tmp_path: Path) -> None:
    days = ("2024-09-30", "2024-10-01T08:00:00", "2025-02-28", "2025-03-01")
    file = _lines(tmp_path, *({"q": f"Question of {d}", "a": "1", "on": d} for d in days))
    queries, rejects = _collect(
        tmp_path,
        files=[file],
        columns=PROMPTS,
        date_column="on",
        dates=["2024-10-01", "2025-03-01"],
    )
    assert {q.messages[0].content[12:22] for q in queries} == {"2024-10-01", "2025-02-28"}
    assert [(r.reason, r.value) for r in rejects] == [
        ("outside_dates", "2024-09-30"),
        ("outside_dates", "2025-03-01"),
    ]


def test_conversations_of_both_conventions_end_with_the_users_question(tmp_path: Path) -> None:
    openai = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "1 + 1?"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "And 1 more?"},
        {"role": "assistant", "content": "3"},
    ]
    sharegpt = [{"from": "human", "value": "1 + 1?"}, {"from": "gpt", "value": "2"}]
    file = _lines(tmp_path, {"c": openai}, {"c": sharegpt})
    queries, _ = _collect(tmp_path, files=[file], columns={"messages": "c"}, category="dialogue")
    roles = [[turn.role for turn in query.messages] for query in queries]
    assert roles == [["system", "user", "assistant", "user"], ["user"]]
    assert [query.reference for query in queries] == ["{}", "{}"]


@pytest.mark.parametrize(
    ("turns", "what"),
    [
        ([{"role": "tool", "content": "x"}], "role 'tool' in 'c' is not one of"),
        ([{"role": "x" * 999_999, "content": "x"}], f"role '{'x' * 80}' in 'c' is not one of"),
        ([{"role": "assistant", "content": "x"}], "column 'c' holds no user turn"),
        ([{"speaker": "user", "text": "x"}], "neither role and content nor from and value"),
        ("hello", "column 'c' is not a list of turns but str"),
    ],
)
def test_a_conversation_that_is_none_is_malformed(tmp_path: Path, turns: Any, what: str) -> None:
    good = {"c": [{"role": "user", "content": "hello"}]}
    file = _lines(tmp_path, good, {"c": turns})
    _, [reject] = _collect(tmp_path, files=[file], columns={"messages": "c"})
    assert what in reject.value


@pytest.mark.parametrize(
    ("name", "given", "reference"),
    [
        ("answer", 7, {"answer": "7"}),
        ("answer", r" \frac{1}{2} ", {"answer": r"\frac{1}{2}"}),
        ("after_hashes", "2*500=1,000\n#### 1,000", {"answer": "1000"}),
        ("json", '{"answer": "3"}', {"answer": "3"}),
        (
            "ifeval",
            {
                "instruction_id_list": ["keywords:existence", "punctuation:no_comma"],
                "kwargs": [{"keywords": ["a"], "num_words": None}, None],
            },
            {
                "instruction_id_list": ["keywords:existence", "punctuation:no_comma"],
                "kwargs": [{"keywords": ["a"]}, {}],
            },
        ),
        (
            "tests",
            ["assert set(f([1])) == {1}"],
            {"call_type": "assert", "fn_name": "f", "assert_case": ["assert set(f([1])) == {1}"]},
        ),
        (
            "tests",
            ["assert sum(1, 2) == 3"],
            {"call_type": "assert", "fn_name": "sum", "assert_case": ["assert sum(1, 2) == 3"]},
        ),
        (
            "tests",
            '[{"input": "1 2", "output": "3"}]',
            {"call_type": "std", "inputs": ["1 2"], "outputs": ["3"], "language": "python"},
        ),
        (
            "tests",
            {"fn_name": "add", "inputs": [[1, 2], [0, 0]], "outputs": [[3], 0]},
            {
                "call_type": "assert",
                "fn_name": "add",
                "assert_case": ["assert add(1, 2) in (3, [3])", "assert add(0, 0) == 0"],
            },
        ),
        (
            "tests",
            {
                "functional": "def check(candidate):\n    assert candidate(n = 2) == 4\n"
                "    assert candidate(1) == 1\n\ncheck(Solution().square)"
            },
            {
                "call_type": "assert",
                "fn_name": "Solution.square",
                "assert_case": [
                    "assert Solution().square(n=2) == 4",
                    "assert Solution().square(1) == 1",
                ],
            },
        ),
    ],
)
def test_published_references_become_ours(name: str, given: Any, reference: Any) -> None:
    assert FORMATS[name](given) == reference


@pytest.mark.parametrize(
    ("name", "given", "what"),
    [
        ("answer", ["a", "b"], "format 'answer' takes one value"),
        ("after_hashes", "the answer is 4", "no answer after ####"),
        ("after_hashes", "#### ", "no answer after ####"),
        ("json", "{not json", "the reference is not JSON"),
        ("json", "[1]", "format 'json' takes an object"),
        ("ifeval", {"kwargs": [{}]}, "no 'instruction_id_list' for format 'ifeval'"),
        ("ifeval", {"instruction_id_list": ["a"], "kwargs": [{}, {}]}, "1 instructions but 2"),
        ("ifeval", ["a"], "the reference is list: format 'ifeval' takes an object"),
        ("ifeval", "null", "the reference is NoneType: format 'ifeval' takes an object"),
        ("ifeval", {"instruction_id_list": "a", "kwargs": [{}]}, "are not lists"),
        ("ifeval", {"instruction_id_list": ["a"], "kwargs": [1]}, "'kwargs' holds 1"),
        ("tests", {"inputs": ["1"], "outputs": ["1", "2"]}, "1 inputs but 2 outputs"),
        ("tests", {"fname": "559.json"}, "neither asserts nor inputs and outputs"),
        ("tests", {"functional": "def check(c):\n    pass\ncheck(f)"}, "does more than assert"),
        ("tests", {"functional": "assert f(1) == 1"}, "not one function and its call"),
        ("tests", ["assert f("], "a test is not Python"),
    ],
)
def test_a_reference_that_cannot_be_read_says_why(name: str, given: Any, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        FORMATS[name](given)


ANSWERS = {"prompt": "problem", "reference": "answer"}
EXPECTED = {"prompt": "problem", "reference": "expected_answer"}
PROMPTED = {"prompt": "prompt", "reference": "answer"}
GSM8K = {"prompt": "question", "reference": "answer", "reference_format": "after_hashes"}
TESTS = {"prompt": "problem", "reference": "tests", "reference_format": "tests"}
MBPP = {"prompt": "text", "reference": "test_list", "reference_format": "tests"}
REAL = [
    ("gsm8k/test.jsonl", GSM8K, 1319, {"answer": "18"}),
    ("math500/test.jsonl", ANSWERS, 500, None),
    ("aime24/nemo_skills.jsonl", EXPECTED, 30, None),
    ("aime24/qwq.jsonl", PROMPTED, 30, None),
    ("aime25/nemo_skills.jsonl", EXPECTED, 30, {"answer": "70"}),
    ("aime25/qwq.jsonl", PROMPTED, 30, {"answer": "70"}),
    ("ifeval/input_data.jsonl", {"prompt": "prompt", "reference_format": "ifeval"}, 541, None),
    ("livecodebench/livecodebench_v5.jsonl", {"prompt": "prompt"}, 279, ""),
    ("mbpp/mbpp.jsonl", MBPP, 974, None),
    ("code_tests/codeforces.json", TESTS, 408, None),
    ("code_tests/leetcode.json", TESTS, 200, None),
]


@pytest.mark.parametrize(("file", "columns", "n", "first"), REAL, ids=[one[0] for one in REAL])
def test_every_row_of_published_data_is_understood(
    tmp_path: Path, file: str, columns: dict[str, str], n: int, first: Any
) -> None:
    if not (SHARED / file).is_file():
        pytest.skip(f"{SHARED / file} is not here: the project was cloned alone")
    queries, rejects = _collect(tmp_path, files=[str(SHARED / file)], columns=columns)
    assert (len(queries), rejects) == (n, [])
    if first is not None:
        with (SHARED / file).open() as lines:
            asked = json.loads(next(lines))[columns["prompt"]]
        [reference] = [q.reference for q in queries if q.messages[0].content == asked]
        assert reference == (json.dumps(first) if first else "")


def _synthetic(**spec: Any) -> dict[str, Any]:
    return {"synthetic": {"task": "arithmetic", "n": 40, "seed": 1, **spec}}


def _benchmark(folder: Path) -> Path:
    _collect(folder, name="easy", **_synthetic(n=10, seed=2, split="held_out"))
    return folder / "easy.parquet"


def test_the_generator_plants_what_the_spec_asks_for(tmp_path: Path) -> None:
    wanted = {"duplicates": 6, "urls": 3, "tables": 4, "broken": 5, "plant": {"easy": 4}}
    benchmark = _benchmark(tmp_path)
    queries, _ = _collect(tmp_path, (benchmark,), **_synthetic(**wanted))
    plain, _ = _collect(tmp_path, name="plain", **_synthetic())
    items = {query.query_id for query in tables.read(benchmark, Query)}
    extra = [q for q in queries if q.query_id not in {p.query_id for p in plain}]
    assert len(queries) == 40 + 6 + 3 + 4 + 5 + 4
    assert {p.query_id for p in plain} <= {q.query_id for q in queries}
    assert len(extra) == 3 + 4 + 5 + 4
    assert len({q.query_id for q in queries}) == len(queries) - 6
    assert sum("https://" in query_text(q.messages) for q in extra) == 3
    assert sum(q.query_id in items for q in extra) == 2
    assert {q.source for q in queries} == {"source"}


def test_duplicates_are_planted_as_copies_and_with_other_white_space(tmp_path: Path) -> None:
    queries, _ = _collect(tmp_path, **_synthetic(duplicates=8))
    spelled: dict[str, set[str]] = {}
    for query in queries:
        spelled.setdefault(query.query_id, set()).add(query.messages[0].content)
    assert any(len(texts) > 1 for texts in spelled.values())
    for texts in spelled.values():
        assert len({normalise(text) for text in texts}) == 1


def test_planted_rewordings_escape_an_exact_comparison(tmp_path: Path) -> None:
    benchmark = _benchmark(tmp_path)
    queries, _ = _collect(tmp_path, (benchmark,), **_synthetic(plant={"easy": 10}))
    plain = {q.query_id for q in _collect(tmp_path, name="plain", **_synthetic())[0]}
    items = {q.query_id: units(query_text(q.messages)) for q in tables.read(benchmark, Query)}
    reworded = [q for q in queries if q.query_id not in plain | set(items)]
    assert len(reworded) == 5
    for query in reworded:
        words = units(query_text(query.messages))
        assert max(len(set(words) & set(item)) / len(set(item)) for item in items.values()) > 0.7


def test_the_same_seed_plants_the_same_rows(tmp_path: Path) -> None:
    spec = _synthetic(duplicates=4, urls=3, tables=3, broken=6)
    once, _ = _collect(tmp_path, name="once", **spec)
    again, _ = _collect(tmp_path, name="once", **spec)
    assert once == again


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        ({"hard": 1}, r"'hard', which is not one of the benchmarks \['easy'\]"),
        ({"easy": 11}, "asks for 11 items of 'easy', which has 10"),
    ],
)
def test_planting_what_is_not_there_is_an_error(
    tmp_path: Path, plant: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        _collect(tmp_path, (_benchmark(tmp_path),), **_synthetic(plant=plant))


def test_a_task_of_another_category_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="makes 'math' queries, but the category is 'code'"):
        _collect(tmp_path, category="code", **_synthetic())


def test_columns_take_either_a_prompt_or_a_conversation() -> None:
    with pytest.raises(ValueError, match="exactly one of the keys 'prompt' and 'messages'"):
        Columns(prompt="a", messages="b")


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ({"dates": ["2024-10-01", "2025-03-01"]}, "'dates' and 'date_column' belong together"),
        ({"date_column": "on"}, "'dates' and 'date_column' belong together"),
        ({"date_column": "on", "dates": ["2024-10-01", "2024-10-01"]}, "is empty"),
        ({"date_column": "on", "dates": ["October", "2024-10-01"]}, "Invalid isoformat"),
    ],
)
def test_a_date_window_must_make_sense(
    tmp_path: Path, window: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        _collect(tmp_path, files=["x.jsonl"], columns=PROMPTS, **window)


def test_a_hub_without_its_package_is_an_error_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    hub = {"repo": "somebody/sums", "revision": "main", "split": "train"}
    with pytest.raises(
        ValueError, match=r"somebody/sums needs the package 'datasets': run this stage"
    ):
        _collect(tmp_path, hub=hub, columns=PROMPTS)


def test_a_date_that_is_no_text_is_a_reject_that_can_be_written(tmp_path: Path) -> None:
    rows = [
        {"q": "1 + 1?", "a": "2", "on": "2024-10-02"},
        '{"q": "1 + 2?", "a": "3", "on": "\\ud800"}',
    ]
    queries, rejects = _collect(
        tmp_path,
        files=[_lines(tmp_path, *rows)],
        columns=PROMPTS,
        date_column="on",
        dates=["2024-10-01", "2025-03-01"],
    )
    assert (len(queries), [reject.reason for reject in rejects]) == (1, ["malformed_row"])
    assert "column 'on' holds no ISO date" in rejects[0].value


def test_what_a_reject_quotes_is_short(tmp_path: Path) -> None:
    rows = [
        {"c": [{"role": "user", "content": "What is 1 + 1?"}]},
        {"c": [{"role": "user", "x" * 100_000: "What is 1 + 2?"}], "x" * 100_000: 1},
        {"d": 1, "x" * 100_000: 1},
    ]
    _, rejects = _collect(tmp_path, files=[_lines(tmp_path, *rows)], columns={"messages": "c"})
    assert len(rejects) == 2
    assert all(len(reject.value) <= 1000 for reject in rejects)
