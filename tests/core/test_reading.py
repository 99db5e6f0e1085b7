"""Reading other people's files: every row has a place, and what cannot be read says why."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sourcewise.corpus.reading import RowError, pick, rows

ROWS = [{"q": "1 + 1?", "a": "2"}, {"q": "三加三?", "a": "6"}]


def _written(folder: Path, name: str) -> Path:
    path = folder / name
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    content = {
        "jsonl": lines,
        "json": json.dumps(ROWS, indent=2),
        "csv": "q,a\n1 + 1?,2\n三加三?,6\n",
    }
    kind = name.removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    elif name.endswith(".gz"):
        path.write_bytes(gzip.compress(content[kind].encode()))
    else:
        path.write_text(content[kind], encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("x.jsonl", [1, 2]),
        ("x.jsonl.gz", [1, 2]),
        ("x.json", [1, 2]),
        ("x.json.gz", [1, 2]),
        ("x.csv", [2, 3]),
        ("x.csv.gz", [2, 3]),
        ("x.parquet", [1, 2]),
    ],
)
def test_every_format_gives_the_same_rows_with_their_places(
    tmp_path: Path, name: str, places: list[int]
) -> None:
    assert list(rows(_written(tmp_path, name))) == list(zip(places, ROWS, strict=True))


def test_a_json_name_may_hold_one_object_a_line(tmp_path: Path) -> None:
    path = _written(tmp_path, "x.jsonl").rename(tmp_path / "x.json")
    assert [row for _, row in rows(path)] == ROWS


def test_blank_lines_and_a_byte_order_mark_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"q": 1}\n\n{"q": 2}\n')
    assert list(rows(path)) == [(1, {"q": 1}), (3, {"q": 2})]


def test_a_csv_field_may_span_lines_and_be_long(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f'q,a\n"two\nlines",{"9" * 200_000}\n', encoding="utf-8")
    [(place, row)] = rows(path)
    assert (place, row["q"], len(row["a"])) == (3, "two\nlines", 200_000)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.jsonl", b'{"q": 1}\n{"q": \n{"q": 3}\n', r"x\.jsonl:2: not JSON"),
        ("x.jsonl", b'{"q": 1}\n[1]\n{"q": 3}\n', r"x\.jsonl:2: not an object but list"),
        ("x.jsonl", b'{"q": 1}\n{"q": "\xff"}\n{"q": 3}\n', r"x\.jsonl:2: not UTF-8"),
        ("x.jsonl", b'{"q": 1}\n' + b"9" * 5000 + b'\n{"q": 3}\n', r"x\.jsonl:2: not JSON"),
        ("x.jsonl", b'{"q": 1}\n' + b"[" * 99_999 + b'\n{"q": 3}\n', r"x\.jsonl:2: not JSON"),
        ("x.csv", b'q,a\n1,2\n"1"0,2\n3,4\n', r"x\.csv:3: not CSV"),
        ("x.json", b'[{"q": 1}, 7, {"q": 3}]', r"x\.json:2: not an object but int"),
        ("x.csv", b"q,a\n1,2\n1,2,3\n3,4\n", r"x\.csv:3: 1 more fields than the header"),
        ("x.csv", b"q,a\n1,2\n1\n3,4\n", r"x\.csv:3: no field for column 'a'"),
        ("x.csv", b"q,a\n1,2\n\xff,2\n3,4\n", r"x\.csv:3: column 'q' is not UTF-8"),
    ],
)
def test_a_malformed_row_names_file_and_line_and_the_rest_is_read(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(RowError, match=message):
        list(rows(path))
    errors: list[RowError] = []
    assert len(list(rows(path, malformed=errors.append))) == 2
    assert len(errors) == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.txt", b"hello", r"x\.txt: the name must end in \.jsonl, \.json, \.csv"),
        ("x.parquet", b"not parquet", r"x\.parquet is damaged or not Parquet"),
        ("x.jsonl.gz", b"not gzip", r"x\.jsonl\.gz is damaged or not gzip"),
        ("x.jsonl.gz", gzip.compress(b'{"q": 1}' * 99)[:-20], "is damaged or not gzip"),
        ("x.json", b"[1, 2", r"x\.json is not JSON"),
        ("x.json", b"[" * 99_999, r"x\.json is not JSON"),
        ("x.json", b"[" + b"9" * 5000 + b"]", r"x\.json is not JSON"),
        ("x.json", b'[{"q": "\xff"}]', r"x\.json is not UTF-8"),
        ("x.csv", b'q,a\n1,2\n"3,4\n5,6\n7,8\n', r"x\.csv:3: a quote is not closed"),
        ("x.csv", "q,a\n1,2\n".encode("utf-16"), r"x\.csv: its header is not CSV in UTF-8"),
        ("x.csv", b"q,a,q\n1,2,3\n", r"x\.csv has 2 columns 'q': rename"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_with_its_name(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        list(rows(tmp_path / name))


def test_a_parquet_file_that_was_cut_or_changed_is_an_error_with_its_name(tmp_path: Path) -> None:
    path, draw = tmp_path / "x.parquet", random.Random(1)
    table = pa.Table.from_pylist([{"q": f"What is {n} + 1?", "a": n + 1} for n in range(2000)])
    pq.write_table(table, path, row_group_size=500)
    whole, refused = path.read_bytes(), []
    for _ in range(200):
        damaged = bytearray(whole[: draw.randrange(len(whole))] if draw.random() < 0.2 else whole)
        for _ in range(3):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        path.write_bytes(damaged)
        errors: list[RowError] = []
        try:
            n = sum(1 for _ in rows(path, malformed=errors.append))
        except ValueError as error:
            refused.append(str(error))
            continue
        assert n + len(errors) == 2000
    assert len(refused) > 100
    assert all(said.startswith(f"{path} ") for said in refused)


def test_a_parquet_row_with_what_is_no_text_or_no_date_is_malformed(tmp_path: Path) -> None:
    text = pa.array([b"1 + 1?", b"caf\xe9", b"3 + 3?"], pa.binary()).view(pa.string())
    day = pa.array([0, 0, 10**15], pa.timestamp("s"))
    pq.write_table(pa.table({"q": text, "on": day}), tmp_path / "x.parquet")
    errors: list[RowError] = []
    [(place, row)] = rows(tmp_path / "x.parquet", malformed=errors.append)
    assert (place, row["q"]) == (1, "1 + 1?")
    text_error, day_error = map(str, errors)
    assert "x.parquet:2: column 'q' cannot be read ('utf-8' codec" in text_error
    assert "x.parquet:3: column 'on' cannot be read" in day_error


def test_parquet_columns_of_one_name_are_an_error(tmp_path: Path) -> None:
    pq.write_table(pa.table([["x"], ["y"]], names=["q", "q"]), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=r"x\.parquet has 2 columns 'q': rename all but one"):
        list(rows(tmp_path / "x.parquet"))


def test_a_missing_column_of_many_names_some_and_can_be_written() -> None:
    with pytest.raises(KeyError) as caught:
        pick({"\ud800": 1, **{f"column {n}": n for n in range(99_999)}}, "x")
    said = caught.value.args[0]
    assert "(there are: \\ud800, column 0, " in said
    assert said.endswith(", 99,980 more)")
    assert said.encode()


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "parquet", "jsonl.gz", "csv.gz"])
def test_junk_under_any_name_is_refused_and_yields_nothing(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    path.write_bytes(random.Random(1).randbytes(100_000))
    refused: list[RowError] = []
    try:
        assert list(rows(path, malformed=refused.append)) == []
    except ValueError as error:
        refused.append(RowError(str(error)))
    assert refused
    assert all(str(error).startswith(f"{path}") for error in refused)


def test_a_missing_file_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.jsonl does not exist: correct the path"):
        list(rows(tmp_path / "gone.jsonl"))


def test_a_column_is_picked_by_name_or_by_dotted_path() -> None:
    row = {"a.b": 1, "a": {"b": 2, "c": {"d": 3}}, "turns": [{"value": "hi"}]}
    assert pick(row, "a.b") == 1
    assert pick(row, "a.c.d") == 3
    assert pick(row, "turns.0.value") == "hi"


@pytest.mark.parametrize("column", ["x", "a.x", "a.b.c", "turns.1.value"])
def test_a_missing_column_names_those_that_exist(column: str) -> None:
    with pytest.raises(KeyError, match=rf"no column '{column}' \(there are: a, turns\)"):
        pick({"a": {"b": 2}, "turns": [{"value": "hi"}]}, column)
