"""A hundredth more queries: a source of their own rewrites no shard, appended they rewrite many."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sourcewise import tables
from sourcewise.dag import shards
from sourcewise.params.queries import Clean, Decontaminate, Questions, Source
from sourcewise.stages import clean, collect, decontaminate
from sourcewise.tables import Message, Query, Reject
from sourcewise.text import query_id, shard_ids

N, MORE, SHARDS = 3000, 30, 30
CLEAN = Clean(
    min_chars=8,
    max_chars=2000,
    max_odd_character_ratio=0.1,
    drop_incomplete=True,
    drop_urls=True,
    drop_tables=True,
    drop_bad_references=False,
)
EXACT = Decontaminate(exact=True, ngram=None, changed_numbers=None, embedding=None)
Corpus = dict[str, dict[str, bytes]]


def _asked(number: int) -> str:
    return f"Tom has {number} apples and Eva has {number % 7} more than he. How many has Eva?"


def _rows(folder: Path, name: str, numbers: range) -> Path:
    lines = [json.dumps({"q": _asked(number), "a": number + number % 7}) for number in numbers]
    (folder / name).write_text("\n".join(lines))
    return folder / name


def _source(file: Path, n_shards: int) -> Source:
    columns = {"prompt": "q", "reference": "a"}
    given = {"category": "math", "licence": "CC0-1.0", "files": [str(file)], "columns": columns}
    return Source.model_validate_json(json.dumps(given | {"shards": n_shards}))


def _corpus(folder: Path, **sources: Source) -> Corpus:
    """The files of every shard, as the rules make them."""
    folder.mkdir()
    item = [Message("user", _asked(5))]
    tables.write(
        folder / "items", Query, [Query(query_id(item), "easy", "math", item, "", "CC0-1.0")]
    )
    for name, source in sources.items():
        collect.run(
            name=name,
            # As the rule hands it over: which shards its queries go to is no matter of reading them.
            origin=Questions.model_validate_json(
                source.model_dump_json(by_alias=True, exclude={"shards"})
            ),
            seed=1,
            planted=(),
            out=folder / name,
            rejects=folder / f"{name}.rejects",
        )
    known = shards.shards(sources)
    return {
        name: _shard(folder / f"{name}.shard", shard, shards.before(shard, known))
        for name, shard in known.items()
    }


def _shard(folder: Path, shard: shards.Shard, before: list[str]) -> dict[str, bytes]:
    clean.run(
        collected=tuple(folder.parent / name for name in shard.sources),
        before=tuple(folder.parent / f"{name}.shard/kept" for name in before),
        number=shard.number,
        shards=shard.n,
        clean=CLEAN,
        judged=False,
        out=folder / "clean",
        kept=folder / "kept",
        rejects=folder / "clean-rejects",
    )
    decontaminate.run(
        queries=folder / "clean",
        dropped=(),
        benchmarks=(folder.parent / "items",),
        decontaminate=EXACT,
        out=folder / "corpus",
        rejects=folder / "rejects",
        evidence=folder / "evidence",
    )
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """The corpus before anything is added."""
    folder = tmp_path_factory.mktemp("before")
    file = _rows(folder, "apples.jsonl", range(N))
    return _corpus(folder / "corpus", apples=_source(file, SHARDS))


def _rewritten(before: Corpus, after: Corpus) -> set[str]:
    return {name for name, files in before.items() if after[name] != files}


@pytest.mark.parametrize("first", [N, 0], ids=["the new rows alone", "the file as it has grown"])
def test_a_new_source_rewrites_no_shard_and_holds_what_is_new(
    before: Corpus, tmp_path: Path, first: int
) -> None:
    old = _source(_rows(tmp_path, "apples.jsonl", range(N)), SHARDS)
    new = _source(_rows(tmp_path, "more.jsonl", range(first, N + MORE)), 1)
    after = _corpus(tmp_path / "corpus", apples=old, more=new)
    assert _rewritten(before, after) == set()
    assert set(after) - set(before) == {"more-0000"}
    shard = tmp_path / "corpus/more-0000.shard"
    held = {query.messages[0].content for query in tables.read(shard / "corpus", Query)}
    assert held == {_asked(number) for number in range(N, N + MORE)}
    refused = [one.reason for one in tables.read(shard / "clean-rejects", Reject)]
    assert refused == ["duplicate"] * (N - first)


def test_rows_appended_to_a_source_rewrite_the_shards_that_gain_one_and_no_other(
    before: Corpus, tmp_path: Path
) -> None:
    grown = _source(_rows(tmp_path, "apples.jsonl", range(N + MORE)), SHARDS)
    after = _corpus(tmp_path / "corpus", apples=grown)
    ids = [query_id([Message("user", _asked(number))]) for number in range(N, N + MORE)]
    ranges = {f"apples-{number:04d}": shard_ids(number, SHARDS) for number in range(SHARDS)}
    gaining = {name for name, (low, high) in ranges.items() if any(low <= i < high for i in ids)}
    assert _rewritten(before, after) == gaining
    # 30 rows fall into most of 30 shards: why the recipe is a source of their own.
    assert len(gaining) > SHARDS / 2
