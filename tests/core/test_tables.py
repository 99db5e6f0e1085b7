"""Tables: typed rows, streamed to Parquet and back."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sourcewise import tables
from sourcewise.tables import (
    ROW_GROUP,
    Example,
    Message,
    Query,
    Reject,
    SortedWriter,
    TableWriter,
    Verdict,
    count,
    load,
    read,
    rows,
    store,
    user_texts,
    write,
)
from sourcewise.text import query_text


def _verdict(number: int, *, status: str = "scored", score: float | None = 1.0) -> Verdict:
    return Verdict(f"{number:032x}", 1, status, score, "", "math", "1")


texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
messages = st.lists(st.builds(Message, role=texts, content=texts), min_size=1)
queries = st.builds(
    Query,
    query_id=texts,
    source=texts,
    category=texts,
    messages=st.lists(
        st.builds(Message, role=st.sampled_from(["user", "assistant", "system"]), content=texts)
    ),
    reference=texts,
    licence=texts,
)
examples = st.builds(
    Example,
    query_id=texts,
    category=texts,
    teacher=texts,
    messages=messages,
    n_tokens=st.integers(0, 2**40),
    attempt=st.integers(1, 64),
    score=st.none() | st.floats(0, 1),
    perplexity=st.none() | st.floats(1, 1e6),
)


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(examples, max_size=5))
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Example]
) -> None:
    path = tmp_path_factory.mktemp("tables") / "examples.parquet"
    assert write(path, Example, rows) == len(rows)
    assert list(read(path, Example)) == rows
    assert count(path, Example) == len(rows)


def test_rows_are_streamed_by_row_group(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.parquet"
    write(path, Verdict, (_verdict(n) for n in range(ROW_GROUP + 1)))
    assert pq.ParquetFile(path).num_row_groups == 2


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, Verdict, [_verdict(n) for n in range(10)])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@settings(max_examples=40, deadline=None)
@given(st.lists(queries, max_size=30), st.lists(st.integers(0, 9), max_size=9), st.booleans())
def test_the_bytes_of_a_table_say_nothing_of_its_parts(
    tmp_path_factory: pytest.TempPathFactory, made: list[Query], sizes: list[int], first: bool
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "ROW_GROUP", 4)
        write(folder / "rows", Query, made)
        every = load(folder / "rows", Query)
        with TableWriter(folder / "parts", Query) as table:
            place = 0
            for number, size in enumerate([*sizes, len(made)]):
                part = every.slice(place, size)
                place += len(part)
                if (number % 2 == 0) == first:
                    table.extend(part)
                else:
                    for query in rows(part, Query):
                        table.add(query)
    assert (folder / "rows").read_bytes() == (folder / "parts").read_bytes()
    assert pq.ParquetFile(folder / "parts").num_row_groups == -(-len(made) // 4)


def test_a_job_that_needs_no_pandas_does_not_load_it(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from sourcewise import tables\n"
        "tables.spare_pandas(); path, Kept = Path(sys.argv[1]), tables.Kept\n"
        "tables.write(path, Kept, [Kept('a', 's')])\n"
        "assert tables.load(path, Kept, ids=('0', 'b')).num_rows == 1\n"
        "print('pandas' in sys.modules); import pandas; print(pandas.Series([1]).sum())"
    )
    said = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "t.parquet"], capture_output=True, text=True
    )
    assert said.stdout.split() == ["False", "1"], said.stderr


def test_an_interrupted_table_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.parquet"
    with pytest.raises(RuntimeError), TableWriter(path, Verdict) as table:
        table.add(_verdict(1))
        raise RuntimeError("killed")
    assert list(tmp_path.iterdir()) == []


def test_another_tables_rows_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rejects.parquet"
    write(path, Reject, [Reject("a", "s", "clean", "url", "x")])
    with pytest.raises(
        ValueError, match=r"rejects\.parquet does not hold Query rows: \['query_id'"
    ):
        list(read(path, Query))


def test_a_truncated_file_is_named_with_its_remedy(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.parquet"
    write(path, Verdict, [_verdict(n) for n in range(100)])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(
        ValueError, match=r"verdicts\.parquet is damaged .* delete it and run again"
    ):
        list(read(path, Verdict))


@pytest.mark.parametrize(
    ("status", "score"), [("scored", None), ("timeout", 0.0), ("correct", 1.0), ("wrong", None)]
)
def test_only_scored_carries_a_score(status: str, score: float | None) -> None:
    with pytest.raises(ValueError, match=r"0{31}1"):
        _verdict(1, status=status, score=score)


identities = st.sampled_from(["00ff", "0100", "80aa", "ff01", "ffff"]) | st.text(
    "0123456789abcdef", min_size=4
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(identities, texts), max_size=40), st.integers(1, 50), identities, identities
)
def test_a_table_of_any_size_is_sorted_and_equal_ids_keep_their_order(
    tmp_path_factory: pytest.TempPathFactory,
    made: list[tuple[str, str]],
    part: int,
    one: str,
    other: str,
) -> None:
    rows_made = [Reject(identity, "s", "b", "r", value) for identity, value in made]
    path = tmp_path_factory.mktemp("sorted") / "table.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "PART", part)
        patch.setattr(tables, "ROW_GROUP", 3)
        with SortedWriter(path, Reject) as table:
            for row in rows_made:
                table.add(row)
        expected = sorted(rows_made, key=lambda row: row.query_id)
        assert list(read(path, Reject)) == expected
        ids = min(one, other), max(one, other)
        within = [row for row in expected if ids[0] <= row.query_id < ids[1]]
        assert list(read(path, Reject, ids=ids)) == within
        assert count(path, Reject, ids=ids) == len(within)
    assert list(path.parent.iterdir()) == [path]


def test_a_sorted_table_that_was_not_finished_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), SortedWriter(tmp_path / "t.parquet", Reject) as table:
        for number in range(tables.PART + 1):
            table.add(Reject(f"{number:04x}", "s", "b", "r", "v"))
        assert list((tmp_path / ".t.parquet.parts").iterdir())
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=50, deadline=None)
@given(st.lists(queries, max_size=8), st.data())
def test_a_part_of_a_table_by_column_is_that_part_by_row(
    tmp_path_factory: pytest.TempPathFactory, made: list[Query], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    write(folder / "all.parquet", Query, made)
    table = load(folder / "all.parquet", Query)
    assert user_texts(table["messages"]).to_pylist() == [
        query_text(query.messages) for query in made
    ]
    kept = data.draw(st.lists(st.booleans(), min_size=len(made), max_size=len(made)))
    part = table.filter(pa.array(kept, pa.bool_()))
    expected = [query for query, stays in zip(made, kept, strict=True) if stays]
    assert user_texts(part["messages"]).to_pylist() == [
        query_text(query.messages) for query in expected
    ]
    store(folder / "part.parquet", Query, [part])
    assert list(read(folder / "part.parquet", Query)) == rows(part, Query) == expected
