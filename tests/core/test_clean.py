"""clean: what is dropped and why, and above all what must stay."""

from __future__ import annotations

import json
import random
import time
import unicodedata
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sourcewise import tables
from sourcewise.corpus import cleaning
from sourcewise.drop import Drop
from sourcewise.params.queries import Clean, Questions
from sourcewise.stages import clean, collect
from sourcewise.tables import Message, Query, Reject
from sourcewise.text import normalise, query_id, shard_ids

SHARED = Path("../shared/data")
STRICT = Clean(
    min_chars=8,
    max_chars=2000,
    max_odd_character_ratio=0.1,
    drop_incomplete=True,
    drop_urls=True,
    drop_tables=True,
    drop_bad_references=False,
)


def _query(text: str, source: str = "s") -> Query:
    turns = [Message("user", text)]
    return Query(query_id(turns), source, "math", turns, "", "MIT")


def _drop(text: str, knobs: Clean = STRICT) -> Drop | None:
    return cleaning.drops(pa.array([text]), knobs).get(0)


def _reason(text: str, knobs: Clean = STRICT) -> str:
    dropped = _drop(text, knobs)
    return dropped.reason if dropped else ""


GOOD = [
    "What is 1 + 1?",
    "小明有三个苹果,妈妈又给了他五个,他现在一共有几个苹果?",
    "किसी संख्या का दोगुना 14 है। वह संख्या क्या है?",
    "كم عدد الأعداد الأولية بين ١ و ٢٠؟",
    "Résoudre l'équation « x² − 5x + 6 = 0 » : œuvre complète, s'il vous plaît.",
    r"Let $f(x)=\begin{cases} x^2 & x\ge 0 \\ -x & x<0 \end{cases}$. Compute $\int_{-1}^1 f(x)\,dx$.",
    "∀ε>0 ∃δ>0: |x−a|<δ ⇒ |f(x)−L|<ε. In △ABC, ∠A = 60°, AB ⊥ BC, ▱DEFG. Prove ⌊π⌋ = 3 ∎",
    r"Solve $\left[\begin{array}{cc|c} 1 & 2 & 3 \\ 4 & 5 & 6 \end{array}\right]$.",
    "Write `f(a|b)`:\n```python\ndef f(x):\n\treturn x | 1\n```\nWhat is f(2)?",
    "Find |x| + |y| where |x - 1| = 2.\n|x| is positive.",
    "Tom has\t3 apples.\nHow\tmany are left?",
    "Compute 7 --- 3.\n\n---\n\nGive an integer.",
    "What is it made of",
    "Solve for a",
    "Use bullet points like\n* one\n* ...",
    "Number them as\n1. first\n2. …",
    "The figure of a triangle has 3 sides. How many has a square?",
    "In the figure below, find x.\n[asy] draw((0,0)--(1,1)); [/asy]",
    "Is http a protocol? What does www stand for?",
    "Name an emoji for happy 🙂 and one for sad.",
    "Finish the sentence: to be or not to be... that is what?",
]


@pytest.mark.parametrize("text", GOOD)
def test_real_questions_of_every_script_and_formula_stay(text: str) -> None:
    assert _reason(text) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("1+1?", "too_short"),
        ("word " * 401, "too_long"),
        ("Tom has ��� apples and gets �� more ���. How?", "odd_characters"),
        ("\ue000\ue001\ue002 Tom \x03\x04 has 3", "odd_characters"),
        ("CombiÃ©n dâ€™Ã©lÃ¨ves Ã©tudiÃ©nt Ã  lâ€™Ã©cole?", "odd_characters"),
        ("🙂🙂🙂🙂 why 🙂🙂🙂", "odd_characters"),
        ("Summarise https://example.org/a?b=c please.", "url"),
        ("Look at www.example.com and tell me more.", "url"),
        ("See [this](HTTP://EXAMPLE.ORG) page.", "url"),
        ("Sum it:\n| a | b |\n|---|--:|\n| 1 | 2 |", "table"),
        ("Sum it:\n\na | b\n--|--\n1 | 2", "table"),
        ("Sum it:\n| 1 | 2 |\n| 3 | 4 |", "table"),
        ("Sum it: <table><tr><td>1</td></tr></table>", "table"),
        (r"Sum: \begin{tabular}{|c|} 1 \\ 2 \end{tabular} now", "table"),
        (r"\begin{array}{|c|c|} \hline 1 & 2 \\ \hline \end{array} fill it", "table"),
        ("Sum it:\nday\tprice\n1\t20\n2\t30", "table"),
        ("Sum it:\nday\tprice\tcost\n1\t20\t7", "table"),
        ("Sum it:\n+----+----+\n| 1  | 2  |\n+----+----+", "table"),
        ("Tom has three apples and", "incomplete"),
        ("Tom has three apples, four pens,", "incomplete"),
        ("Tom has three apples (", "incomplete"),
        ("Tom has three apples…", "incomplete"),
        ("Tom has three app...", "incomplete"),
        ("Answer each of the following questions:", "incomplete"),
        ("What does this print?\n```python\nprint(1)", "incomplete"),
        (r"Compute \begin{pmatrix} 1 & 2", "incomplete"),
        ("Find the area of the region shown in the figure.", "missing_figure"),
        ("In the diagram below, find the angle at A.", "missing_figure"),
        ("What is this? ![](picture.png)", "missing_figure"),
        ("Describe <image> in a sentence.", "missing_figure"),
    ],
)
def test_each_defect_is_found_under_its_own_reason(text: str, reason: str) -> None:
    assert _reason(text) == reason


@pytest.mark.parametrize(
    ("switch", "text"),
    [
        ("drop_urls", "Summarise https://example.org/a please."),
        ("drop_tables", "Sum it:\n| a | b |\n|---|---|\n| 1 | 2 |"),
        ("drop_incomplete", "Tom has three apples and"),
        ("drop_incomplete", "Find the area shown in the figure."),
    ],
)
def test_a_switch_turns_its_reason_off(switch: str, text: str) -> None:
    assert _reason(text)
    assert _reason(text, STRICT.model_copy(update={switch: False})) == ""


def test_the_value_that_decided_is_kept() -> None:
    dropped = _drop("Summarise https://example.org/a please.")
    assert dropped == ("url", "https://example.org/a")


@given(st.text(st.characters(categories=["L", "M", "N", "P", "Zs", "Sm"]), min_size=1))
def test_letters_numbers_and_mathematics_of_any_script_are_never_odd(text: str) -> None:
    # Characters that can begin mis-decoded UTF-8 are left out: pairs of them are what mojibake is.
    kept = "".join(letter for letter in text if not "\u00c2" <= letter <= "\u00f4")
    assert kept == "" or cleaning.odd_character_ratio(kept) == 0


@pytest.mark.parametrize(
    "flood", ["\n \t", r"\begin{array}", r"\begin{array}\hline ", "![", "<table ", "< ", "|", "--|"]
)
def test_a_flood_is_judged_in_seconds(flood: str) -> None:
    # Quadratic searches took minutes for it.
    started = time.process_time()
    for reason in cleaning.reasons(STRICT):
        reason.find("What is 1 + 1?" + flood * (600_000 // len(flood)))
    assert time.process_time() - started < 5


def _run(
    folder: Path, *sources: list[Query], n: int = 3, knobs: Clean = STRICT
) -> tuple[list[list[Query]], list[Reject]]:
    """Cleans sources that share `n` shards."""
    paths = []
    for number, queries in enumerate(sources):
        paths.append(folder / f"{number}.parquet")
        tables.write(paths[-1], Query, queries)
    names = [f"s-{number}" for number in range(n)]
    for number, name in enumerate(names):
        _shard(folder, name, paths, number=number, n=n, knobs=knobs)
    return [_queries(folder, name) for name in names], [
        reject for name in names for reject in _rejects(folder, name)
    ]


def _shard(
    folder: Path,
    name: str,
    collected: list[Path],
    *,
    before: tuple[str, ...] = (),
    number: int = 0,
    n: int = 1,
    knobs: Clean = STRICT,
) -> None:
    clean.run(
        collected=tuple(collected),
        before=tuple(folder / f"{earlier}.kept.parquet" for earlier in before),
        number=number,
        shards=n,
        clean=knobs,
        judged=False,
        out=folder / f"{name}.parquet",
        kept=folder / f"{name}.kept.parquet",
        rejects=folder / f"{name}.rejects.parquet",
    )


def _queries(folder: Path, name: str) -> list[Query]:
    return list(tables.read(folder / f"{name}.parquet", Query))


def _rejects(folder: Path, name: str) -> list[Reject]:
    return list(tables.read(folder / f"{name}.rejects.parquet", Reject))


def test_the_first_of_equal_queries_over_all_sources_stays(tmp_path: Path) -> None:
    first, other = _query("What is 1 + 1?", "a"), _query("What is 2 + 2?", "b")
    copy, spaced = _query("What is 1 + 1?", "b"), _query(" What is\n1 +  1?", "b")
    shards, rejects = _run(tmp_path, [first], [copy, other, spaced])
    assert sorted(q.source for shard in shards for q in shard) == ["a", "b"]
    assert [(r.query_id, r.source, r.by, r.reason, r.value) for r in rejects] == [
        (first.query_id, "b", "clean", "duplicate", "first in a"),
        (first.query_id, "b", "clean", "duplicate", "first in a"),
    ]


def test_a_query_that_an_earlier_source_kept_in_shards_of_its_own_goes(tmp_path: Path) -> None:
    both, dropped = _query("What is 1 + 1?", "a"), _query("Sum 1\t2\t3 and\n4\t5\t6 up", "a")
    later = [_query("What is 1 + 1?", "b"), _query("Sum 1 2 3 and 4 5 6 up", "b")]
    for name, queries in (("a", [both, dropped]), ("b", later)):
        tables.write(tmp_path / f"{name}.collected.parquet", Query, queries)
    for number in range(2):
        _shard(tmp_path, f"a-{number}", [tmp_path / "a.collected.parquet"], number=number, n=2)
    _shard(tmp_path, "b-0", [tmp_path / "b.collected.parquet"], before=("a-0", "a-1"))
    # What the earlier source had, but did not keep, stays.
    assert _queries(tmp_path, "b-0") == later[1:]
    [reject] = _rejects(tmp_path, "b-0")
    assert (reject.reason, reject.value) == ("duplicate", "first in a")


def test_a_copy_in_a_better_layout_stays_where_the_first_was_dropped(tmp_path: Path) -> None:
    table = _query("Sum 1\t2\t3 and\n4\t5\t6 up")
    text = _query("Sum 1 2 3 and 4 5 6 up")
    assert table.query_id == text.query_id
    shards, [reject] = _run(tmp_path, [table, text])
    assert [query for shard in shards for query in shard] == [text]
    assert reject.reason == "table"


def test_case_makes_a_difference_and_composed_letters_do_not(tmp_path: Path) -> None:
    texts = ["What is a café?", "What is a cafe\u0301?", "what is a café?"]
    shards, rejects = _run(tmp_path, [_query(text) for text in texts])
    assert (sum(map(len, shards)), len(rejects)) == (2, 1)


def test_every_shard_exists_and_a_query_lies_where_its_digest_says(tmp_path: Path) -> None:
    shards, _ = _run(tmp_path, [_query(f"What is {n} + 1?") for n in range(2)])
    for number, shard in enumerate(shards):
        first, end = shard_ids(number, 3)
        assert all(first <= query.query_id < end for query in shard)
    assert 0 in map(len, shards)


words = st.sampled_from(["Tom", "has", "three", "apples.", "How", "many?", "and", "www.a.org", "…"])


@given(
    texts=st.lists(st.lists(words, max_size=6).map(" ".join), min_size=1, max_size=25),
    cut=st.integers(0, 25),
)
def test_every_row_is_kept_once_or_rejected_once(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], cut: int
) -> None:
    queries = [_query("What is 1 + 1?"), *map(_query, texts)]
    shards, rejects = _run(tmp_path_factory.mktemp("clean"), queries[:cut], queries[cut:])
    kept = [query.query_id for shard in shards for query in shard]
    assert len(kept) == len(set(kept))
    assert len(kept) + len(rejects) == len(queries)
    assert Counter(q.query_id for q in queries) == Counter(kept) + Counter(
        r.query_id for r in rejects
    )


def test_a_corpus_of_which_nothing_stays_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"keeps none of 2 queries of 0 .*too_short.*loosen"):
        _run(tmp_path, [_query("1+1"), _query("2+2")])
    assert not (tmp_path / "s-0.parquet").exists()


def test_a_shard_may_be_empty_where_another_holds_what_stays(tmp_path: Path) -> None:
    shards, rejects = _run(tmp_path, [_query("1+1"), _query("What is 2 + 2?")], n=8)
    assert (sum(map(len, shards)), len(rejects)) == (1, 1)


def test_all_planted_defects_are_found_and_every_problem_stays(tmp_path: Path) -> None:
    spec = {"task": "arithmetic", "n": 300, "seed": 3, "split": "train"}
    planted = {"duplicates": 12, "urls": 9, "tables": 9, "broken": 12}
    for name, one in (("plain", spec), ("planted", spec | planted)):
        origin = {"category": "math", "licence": "MIT", "synthetic": one}
        collect.run(
            name=name,
            origin=Questions.model_validate_json(json.dumps(origin)),
            seed=7,
            planted=(),
            out=tmp_path / f"{name}.parquet",
            rejects=tmp_path / f"{name}.rejects.parquet",
        )
    plain = {query.query_id for query in tables.read(tmp_path / "plain.parquet", Query)}
    shards, rejects = _run(tmp_path, list(tables.read(tmp_path / "planted.parquet", Query)))
    assert {query.query_id for shard in shards for query in shard} == plain
    assert Counter(reject.reason for reject in rejects) == {
        "duplicate": 12,
        "url": 9,
        "table": 9,
        "odd_characters": 4,
        "incomplete": 4,
        "missing_figure": 4,
    }


@pytest.mark.parametrize(
    ("file", "column", "dropped"),
    [
        ("gsm8k/train.jsonl", "question", {}),
        ("gsm8k/test.jsonl", "question", {}),
        ("math500/test.jsonl", "problem", {"table": 2}),
        ("ifeval/input_data.jsonl", "prompt", {"url": 2}),
    ],
)
def test_published_questions_are_dropped_only_for_real_tables_and_addresses(
    file: str, column: str, dropped: dict[str, int]
) -> None:
    if not (SHARED / file).is_file():
        pytest.skip(f"{SHARED / file} is not here: the project was cloned alone")
    knobs = STRICT.model_copy(update={"max_chars": 20000})
    lines = (SHARED / file).read_text(encoding="utf-8").splitlines()
    texts = pa.array([json.loads(line)[column] for line in lines])
    assert Counter(drop.reason for drop in cleaning.drops(texts, knobs).values()) == dropped


def test_white_space_never_changes_a_verdict_on_plain_text() -> None:
    rng = random.Random(1)
    for text in GOOD[:4]:
        spaced = "".join(rng.choice((" ", "\n", "  ")) if c == " " else c for c in text)
        assert normalise(spaced) == normalise(text)
        assert _reason(spaced) == ""


PIECES = [
    "http", "://x.org", "WWW.", "www.a.com", "|", "--", "---", "|:--|", "<", "td>", "table>", r"\begin",
    "{tabular}", r"{array}", r"\hline", r"\end{", "\t", "a", "b c", "+", "+--+--+", "==", "\n", "```",
    "~~~", "following", "below", ":", "Figure", "ımage", "image", "shown in the", "![x](", "<img", "and",
    "éand", "the", ",", "...", "…", "(", "1.", " ", ".", "\x1c", "\u2003", "\x85", "\ufffd", "e\u0301",
    "\x07", "Ã©", "\ufb01",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=14).map("".join), max_size=6))
def test_texts_without_a_sign_have_nothing_to_find(texts: list[str]) -> None:
    expected = {}
    for place, text in enumerate(texts):
        found = cleaning.length(text, STRICT.min_chars, STRICT.max_chars)
        for reason in cleaning.reasons(STRICT):
            value = reason.find(text)
            if found is None and value is not None:
                found = Drop(reason.name, value)
        if found is not None:
            expected[place] = found
    assert cleaning.drops(pa.array(texts, pa.string()), STRICT) == expected


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=12), max_size=8))
def test_lengths_are_those_of_the_normalised_text(texts: list[str]) -> None:
    dropped = cleaning.drops(pa.array(texts, pa.string()), STRICT)
    short = {place for place, drop in dropped.items() if drop.reason in ("empty", "too_short")}
    assert short == {
        place for place, text in enumerate(texts) if len(normalise(text)) < STRICT.min_chars
    }


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_the_sign_of_a_table_is_no_condition_of_its_own(text: str) -> None:
    kinds = [kind for kind, (_, pattern) in cleaning.TABLES.items() if pattern.search(text)]
    assert cleaning.table(text) == (kinds[0] if kinds else None)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(max_codepoint=127), max_size=40))
def test_odd_characters_of_ascii_are_its_controls(text: str) -> None:
    odd = [c for c in text if unicodedata.category(c) == "Cc" and c not in "\n\r\t"]
    assert cleaning.odd_character_ratio(text) == (len(odd) / len(text) if text else 0)
