"""A benchmark's questions as they are published: hidden tests, errata, copies that disagree."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sourcewise import tables
from sourcewise.params.queries import Benchmark, Questions
from sourcewise.stages import collect
from sourcewise.tables import Erratum, Query, Reject

SHARED = Path("../shared/data")
ERRATA = Path("workflow/errata/livecodebench.json")
RELEASE = {"prompt": "question_content", "starter_code": "starter_code",
           "reference_format": "livecodebench"}  # fmt: skip
AIME = {"prompt": "problem", "reference": "answer"}


def _collect(folder: Path, **origin: Any) -> tuple[list[Query], list[Reject], list[Erratum]]:
    given = {"category": "math", "licence": "MIT", **origin}
    out, rejects, errata = (folder / f"{name}.parquet" for name in ("out", "rejects", "errata"))
    collect.run(
        name="exam",
        origin=Questions.model_validate_json(json.dumps(given)),
        seed=7,
        planted=(),
        out=out,
        rejects=rejects,
        errata=(errata,),
    )
    found = (tables.read(out, Query), tables.read(rejects, Reject), tables.read(errata, Erratum))
    return list(found[0]), list(found[1]), list(found[2])


def _file(folder: Path, name: str, *rows: dict[str, Any]) -> str:
    path = folder / name
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return str(path)


def _problem(name: str, day: str, **more: Any) -> dict[str, Any]:
    """A row as a release of LiveCodeBench has it."""
    case = {"input": "1\n", "output": "2\n", "testtype": "stdin"}
    hidden = [{**case, "input": "2\n", "output": "3\n"}]
    return {
        "question_id": name,
        "question_title": f"title of {name}",
        "question_content": f"Add one ({name}).",
        "contest_date": f"{day}T00:00:00",
        "starter_code": "",
        "metadata": "{}",
        "public_test_cases": json.dumps([case]),
        "private_test_cases": base64.b64encode(
            zlib.compress(pickle.dumps(json.dumps(hidden)))
        ).decode(),
        **more,
    }


def test_a_release_gives_the_problems_of_a_window_with_all_their_tests(tmp_path: Path) -> None:
    solve = "class Solution:\n    def solve(self, a):\n"
    case = {"input": "1", "output": "2", "testtype": "functional"}
    method = {"starter_code": solve, "metadata": '{"func_name": "solve"}',
              "public_test_cases": json.dumps([case]),
              "private_test_cases": json.dumps([{**case, "input": "2"}])}  # fmt: skip
    file = _file(
        tmp_path, "test5.jsonl",
        # Outside of the window nothing of a row but its text and its day is looked at.
        _problem("early", "2024-09-30", private_test_cases=None),
        _problem("first", "2024-10-01"),
        _problem("method", "2025-02-28", **method),
        _problem("late", "2025-03-01"),
    )  # fmt: skip
    window = {"date_column": "contest_date", "dates": ["2024-10-01", "2025-03-01"]}
    queries, rejects, _ = _collect(
        tmp_path, category="code", files=[file], columns=RELEASE, **window
    )
    asked = {json.loads(one.reference)["call_type"]: one for one in queries}
    assert len(queries) == len(asked) == 2
    assert json.loads(asked["std"].reference)["inputs"] == ["1\n", "2\n"]
    assert "reads standard input" in asked["std"].messages[0].content
    assert json.loads(asked["assert"].reference)["assert_case"] == [
        "assert Solution().solve(1) == 2", "assert Solution().solve(2) == 2"
    ]  # fmt: skip
    assert f"```python\n{solve}```" in asked["assert"].messages[0].content
    assert [one.reason for one in rejects] == ["outside_dates"] * 2


def test_problems_without_hidden_tests_are_no_benchmark_and_the_message_says_where_tests_are(
    tmp_path: Path,
) -> None:
    file = _file(tmp_path, "f.jsonl", _problem("a", "2024-10-01", private_test_cases=""))
    with pytest.raises(ValueError, match=r"f\.jsonl:1: the hidden tests are missing.*code_genera"):
        _collect(tmp_path, category="code", files=[file], columns=RELEASE)


def test_the_shared_copy_of_livecodebench_has_no_hidden_tests(tmp_path: Path) -> None:
    file = SHARED / "livecodebench/livecodebench_v5.jsonl"
    if not file.is_file():
        pytest.skip(f"{file} is not here")
    columns = {"prompt": "prompt", "reference_format": "livecodebench"}
    with pytest.raises(ValueError, match=r"MD5 of their file \(559\.json\)"):
        _collect(tmp_path, category="code", files=[str(file)], columns=columns)


def test_a_benchmark_without_references_is_refused_before_anything_is_asked() -> None:
    spec = {
        "queries": {"category": "code", "licence": "x", "files": ["f.jsonl"], "columns": {"prompt": "p"}},
        "samples": 1, "suffix": "", "max_tokens": None, "graded": True,
    }  # fmt: skip
    with pytest.raises(ValidationError, match="nothing to grade by"):
        Benchmark.model_validate_json(json.dumps(spec))
    Benchmark.model_validate_json(json.dumps({**spec, "graded": False}))


def test_errata_are_found_by_any_of_the_named_columns(tmp_path: Path) -> None:
    rows = [_problem(name, "2024-10-01") for name in ("abc350_c", "fine", "2892")]
    rows[2]["question_title"] = "find-the-peaks"
    errata = {"file": str(ERRATA), "columns": ["question_id", "question_title"]}
    file = _file(tmp_path, "f.jsonl", *rows)
    queries, _, found = _collect(
        tmp_path, category="code", files=[file], columns=RELEASE, errata=errata
    )
    assert len(queries) == 3
    assert {one.question for one in found} == {"abc350_c", "find-the-peaks"}
    assert {one.query_id for one in found} < {one.query_id for one in queries}


@pytest.mark.parametrize("text", ['["abc350_c"]', '{"abc350_c": 1}', "{", None])
def test_a_list_of_errata_that_cannot_be_read_is_named(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "errata.json").write_text(text)
    errata = {"file": str(tmp_path / "errata.json"), "columns": ["question_id"]}
    file = _file(tmp_path, "f.jsonl", _problem("a", "2024-10-01"))
    with pytest.raises((ValueError, FileNotFoundError), match=r"errata\.json"):
        _collect(tmp_path, category="code", files=[file], columns=RELEASE, errata=errata)


WALK = "Every morning Aya walks nine kilometers and stops at a coffee shop. How many minutes?"
LOG = "Positive numbers x and y satisfy log equations. What is x times y, to the power of two?"
ROWS = [{"problem": WALK, "answer": "204"}, {"problem": LOG, "answer": "025"}]


def _compared(folder: Path, *copy: dict[str, Any], **more: Any) -> list[Query]:
    file = _file(folder, "own.jsonl", *({**row, "id": n} for n, row in enumerate(ROWS)))
    copies = {"other": {"files": [_file(folder, "other.jsonl", *copy)], "columns": AIME}}
    return _collect(folder, files=[file], columns=AIME, copies=copies, **more)[0]


def test_copies_that_differ_in_layout_suffix_order_and_zeros_agree(tmp_path: Path) -> None:
    suffix = "\nPlease reason step by step, and put your final answer within \\boxed{}."
    copy = [
        {"problem": f"{LOG}{suffix}", "answer": 25},
        {"problem": WALK.upper(), "answer": "$204$"},
    ]
    assert len(_compared(tmp_path, *copy)) == 2


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"problem": WALK, "answer": "205"}, r"own\.jsonl:1 answers '204', .*other\.jsonl:2 '205'"),
        ({"problem": "Find all primes.", "answer": "204"}, r"own\.jsonl:1: the copy holds no such"),
        # As in the public copy of AIME 2024 that has solutions within three of its texts.
        ({"problem": f"{WALK} It takes 4 hours, so 204 minutes.", "answer": "204"},
         r"the text of .*other\.jsonl:2 holds the answer '204'"),
    ],
)  # fmt: skip
def test_a_copy_that_disagrees_stops_with_the_rows_unless_the_question_is_a_known_erratum(
    tmp_path: Path, other: dict[str, Any], what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        _compared(tmp_path, ROWS[1], other)
    (tmp_path / "errata.json").write_text('{"0": "disputed"}')
    errata = {"file": str(tmp_path / "errata.json"), "columns": ["id"]}
    assert len(_compared(tmp_path, ROWS[1], other, errata=errata)) == 2


@pytest.mark.parametrize("year", ["aime24", "aime25"])
def test_the_shared_copies_of_aime_agree_and_a_planted_leak_is_found(
    tmp_path: Path, year: str
) -> None:
    own, other = (SHARED / year / f"{name}.jsonl" for name in ("nemo_skills", "qwq"))
    if not own.is_file():
        pytest.skip(f"{own} is not here")
    asked = {"files": [str(own)], "columns": {"prompt": "problem", "reference": "expected_answer"}}
    columns = {"prompt": "prompt", "reference": "answer"}
    agreeing = {"files": [str(other)], "columns": columns}
    assert len(_collect(tmp_path, **asked, copies={"qwq": agreeing})[0]) == 30
    rows = [json.loads(line) for line in other.read_text().splitlines()]
    for place in (4, 5, 24):
        rows[place]["prompt"] += f" The solution: the sum is {rows[place]['answer']}."
    leaking = {"files": [_file(tmp_path, "leaking.jsonl", *rows)], "columns": columns}
    with pytest.raises(ValueError, match="3 of its questions differ from a copy") as error:
        _collect(tmp_path, **asked, copies={"qwq": leaking})
    assert [f"leaking.jsonl:{place}" in str(error.value) for place in (5, 6, 25)] == [True] * 3
