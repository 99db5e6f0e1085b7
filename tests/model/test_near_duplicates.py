"""near_duplicates: copies with a few other words go, over all shards, and the earlier one stays."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from sourcewise.corpus.near import Sketches
from sourcewise.params.queries import Decontaminate, NearDuplicates
from sourcewise.stages import decontaminate, near_duplicates
from sourcewise.tables import Message, Query, Reject, read, write
from sourcewise.text import query_id

NEAR = NearDuplicates(n=3, similarity=0.7, permutations=128)
WORDS = [f"{a}{b}" for a in ("ka", "lo", "mi", "ne", "su") for b in "bcdfghjklmnpqrstvwxz"]


def _text(draw: random.Random, n: int = 100) -> str:
    return " ".join(draw.choices(WORDS, k=n))


def _changed(draw: random.Random, text: str, n: int) -> str:
    words = text.split()
    for place in draw.sample(range(len(words)), n):
        words[place] = draw.choice(WORDS)
    return " ".join(words)


def _jaccard(one: str, other: str) -> float:
    sets = []
    for text in (one, other):
        words = text.casefold().split()
        sets.append(
            {tuple(words[place : place + NEAR.n]) for place in range(len(words) - NEAR.n + 1)}
        )
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def _query(text: str, source: str = "train") -> Query:
    turns = [Message("user", text)]
    return Query(query_id(turns), source, "math", turns, "", "MIT")


def test_alike_are_those_of_the_jaccard_similarity() -> None:
    draw = random.Random(3)
    texts = [_text(draw) for _ in range(300)]
    texts += [_changed(draw, draw.choice(texts), draw.randint(0, 8)) for _ in range(300)]
    sketches = Sketches(NEAR)
    sketches.add(texts[:250])
    sketches.add(texts[250:])
    found = sketches.alike()
    similarity = [
        max((_jaccard(texts[other], text) for other in range(place)), default=0)
        for place, text in enumerate(texts)
    ]
    # Sketches estimate: within two deviations of the threshold either is right.
    sure = {place for place, value in enumerate(similarity) if value >= 0.8}
    never = {place for place, value in enumerate(similarity) if value < 0.6}
    assert len(sure) > 100
    assert len(sure - found.keys()) <= 0.02 * len(sure)
    assert not never & found.keys()
    for place, (other, value) in found.items():
        assert other < place
        assert value == pytest.approx(_jaccard(texts[other], texts[place]), abs=0.15)


def test_texts_without_a_run_are_like_no_other() -> None:
    sketches = Sketches(NEAR)
    sketches.add(["", "two words", "two words", "3 + 4?", "Is this a text of seven words?"])
    assert sketches.alike() == {}


def _run(folder: Path, *shards: list[Query]) -> list[list[Reject]]:
    paths = [folder / f"{number}.parquet" for number in range(len(shards))]
    outs = [folder / f"{number}.near" for number in range(len(shards))]
    for path, shard in zip(paths, shards, strict=True):
        write(path, Query, shard)
    near_duplicates.run(queries=tuple(paths), near=NEAR, rejects=tuple(outs))
    return [list(read(out, Reject)) for out in outs]


def test_the_earlier_stays_and_a_new_source_changes_no_others(tmp_path: Path) -> None:
    draw = random.Random(4)
    one, other = _text(draw), _text(draw)
    first = [_query(one, "a"), _query(other, "a")]
    second = [_query(_changed(draw, one, 2), "b"), _query(_text(draw), "b")]
    found = _run(tmp_path, first, second)
    assert found[0] == []
    [reject] = found[1]
    assert (reject.query_id, reject.source) == (second[0].query_id, "b")
    assert (reject.by, reject.reason) == ("near_duplicates", "near_duplicate")
    assert reject.value.startswith(f"a/{first[0].query_id} 0.")
    third = [_query(_changed(draw, other, 1), "c")]
    assert _run(tmp_path, first, second, third)[:2] == found
    assert _run(tmp_path, [], first)[0] == []


def test_decontaminate_takes_them_out(tmp_path: Path) -> None:
    draw = random.Random(5)
    kept, gone = _query(_text(draw)), _query(_text(draw))
    write(tmp_path / "clean.parquet", Query, [kept, gone])
    reject = Reject(gone.query_id, "train", "near_duplicates", "near_duplicate", "train/x 0.90")
    write(tmp_path / "near.parquet", Reject, [reject])
    decontaminate.run(
        queries=tmp_path / "clean.parquet",
        dropped=(tmp_path / "near.parquet",),
        benchmarks=(),
        decontaminate=Decontaminate(exact=True, ngram=None, changed_numbers=None, embedding=None),
        out=tmp_path / "out.parquet",
        rejects=tmp_path / "rejects.parquet",
        evidence=tmp_path / "evidence.parquet",
    )
    assert list(read(tmp_path / "out.parquet", Query)) == [kept]
    assert list(read(tmp_path / "rejects.parquet", Reject)) == [reject]
