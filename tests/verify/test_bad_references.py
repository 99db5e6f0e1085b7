"""clean lets no query through whose answers could never be judged, and drops none that could be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rows import jsonl

from sourcewise import tables
from sourcewise.corpus import references
from sourcewise.gradable.categories import References
from sourcewise.params.queries import Clean
from sourcewise.stages import clean
from sourcewise.tables import Message, Query, Reject
from sourcewise.text import query_id

KNOBS = Clean(
    min_chars=1,
    max_chars=2000,
    max_odd_character_ratio=0.1,
    drop_incomplete=False,
    drop_urls=False,
    drop_tables=False,
    drop_bad_references=True,
)
NO_COMMA = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
USABLE = [
    ("math", {"answer": "3/4"}),
    ("math", {"answer": r"\frac{\sqrt{3}}{2}"}),
    ("math", {"answer": r"(2,\infty)"}),
    ("math", {"answer": r"\text{Evelyn}"}),
    ("code", {"call_type": "assert", "fn_name": "f", "assert_case": ["assert f(1) == 1"]}),
    ("code", {"call_type": "std", "inputs": ["1"], "outputs": ["1"]}),
    ("code", {"call_type": "std", "inputs": ["1"], "outputs": ["1"], "language": "cpp"}),
    ("instruction", NO_COMMA),
    ("science", {"answer": "water"}),
    ("dialogue", ""),
]
UNUSABLE = [
    ("math", "", "is not"),
    ("math", {"answer": r"\frac{"}, "reads"),
    ("math", {"answer": "9" * 2001}, "2001 characters"),
    ("code", {"call_type": "assert", "fn_name": "f", "assert_case": ["assert g(1) == 1"]}, "f"),
    ("code", {"call_type": "assert", "fn_name": "f", "assert_case": ["assert f(1 =="]}, "f(1"),
    ("code", {"call_type": "std", "inputs": ["1"], "outputs": []}, "outputs"),
    ("code", {"call_type": "std", "inputs": ["1"], "outputs": ["1"], "language": "cobol"}, "cobol"),
    ("instruction", {"instruction_id_list": ["a:b"], "kwargs": [{}]}, "a:b"),
    (
        "instruction",
        {"instruction_id_list": ["length_constraints:number_words"], "kwargs": [{}]},
        "number_words",
    ),
    ("science", {"answer": " "}, "is not"),
]


def _query(n: int, category: str, reference: object) -> Query:
    turns = [Message("user", f"question {n} of {category}")]
    text = reference if isinstance(reference, str) else json.dumps(reference)
    return Query(query_id(turns), "source", category, turns, text, "MIT")


def _clean(folder: Path, queries: list[Query], *, judged: bool = False) -> tuple[list, list]:
    tables.write(folder / "collected.parquet", Query, queries)
    clean.run(
        collected=(folder / "collected.parquet",),
        before=(),
        number=0,
        shards=1,
        clean=KNOBS,
        judged=judged,
        out=folder / "out.parquet",
        kept=folder / "kept.parquet",
        rejects=folder / "rejects.parquet",
    )
    stayed = list(tables.read(folder / "out.parquet", Query))
    return stayed, list(tables.read(folder / "rejects.parquet", Reject))


def test_each_bad_reference_is_dropped_with_what_is_wrong_with_it(tmp_path: Path) -> None:
    usable = [_query(n, *one) for n, one in enumerate(USABLE)]
    unusable = [_query(n, one[0], one[1]) for n, one in enumerate(UNUSABLE, len(USABLE))]
    stayed, rejects = _clean(tmp_path, [*unusable, *usable])
    assert stayed == usable
    assert [(one.query_id, one.by, one.reason) for one in rejects] == [
        (query.query_id, "clean", "bad_reference") for query in unusable
    ]
    for (_, reference, why), reject in zip(UNUSABLE, rejects, strict=True):
        assert why in reject.value, (reference, reject.value)


def test_a_copy_with_a_good_reference_takes_the_place_of_one_with_a_bad(tmp_path: Path) -> None:
    bad, good = _query(1, "math", ""), _query(1, "math", {"answer": "4"})
    assert bad.query_id == good.query_id
    stayed, rejects = _clean(tmp_path, [bad, good, good])
    assert stayed == [good]
    assert [one.reason for one in rejects] == ["bad_reference", "duplicate"]


def test_what_a_judge_can_read_stays_where_there_is_one(tmp_path: Path) -> None:
    prose = _query(1, "math", {"answer": "the set of all primes p for which p + 2 is prime"})
    other = _query(2, "math", {"answer": "4"})
    assert _clean(tmp_path, [prose, other], judged=True)[0] == [prose, other]


def test_a_corpus_of_bad_references_only_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bad_reference"):
        _clean(tmp_path, [_query(1, "math", "")])


def test_real_references_are_usable() -> None:
    math = [{"answer": row["answer"]} for row in jsonl("math500/test.jsonl")]
    code = [references.FORMATS["tests"](r["test_list"]) for r in jsonl("mbpp/mbpp.jsonl")[:200]]
    instruction = [references.FORMATS["ifeval"](row) for row in jsonl("ifeval/input_data.jsonl")]
    with References(judged=False) as looked_at:
        for category, found in (("math", math), ("code", code), ("instruction", instruction)):
            texts = [json.dumps(one) for one in found]
            problems = looked_at.problems([category] * len(texts), texts)
            bad = [(p, one) for p, one in zip(problems, texts, strict=True) if p]
            assert len(bad) <= 0.01 * len(texts), bad
