"""`sourcewise ledger`: what is there, whether it is whole, and several machines' ledgers in one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from test_ledger import append, record

from sourcewise import scored
from sourcewise.__main__ import main
from sourcewise.ledger import Ledger, Record
from sourcewise.scored import Scored
from sourcewise.tables import read


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["ledger", *map(str, arguments)])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def texts(ledger: Path, *numbers: int) -> list[str]:
    keys = [record(number).key for number in numbers]
    found = Ledger(ledger).get(keys)
    return [found[key].text for key in keys]


def test_ls_has_a_line_for_each_segment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ledger = Path("data/distill/t/ledger")
    append(ledger, record(1, "x" * 3000), record(2))
    append(ledger, record(3), writer="0001")
    assert call("ls") == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split()[:2] == ["segment", "attempts"]
    assert first.split()[:3] == ["data/distill/t/ledger/0000.ledger", "2", "1"]
    assert "2.9 KiB" in first
    assert second.split()[1] == "1"


def test_show_finds_a_key_and_a_query_by_how_they_begin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    append(tmp_path, dataclasses.replace(record(1, "seven"), query_id="abc"), record(2, "eight"))
    assert call("show", tmp_path, "ab") == 0
    shown = capsys.readouterr().out
    assert "seven" in shown
    assert "eight" not in shown
    assert call("show", tmp_path, record(2).key) == 0
    assert "eight" in capsys.readouterr().out
    assert call("show", tmp_path, "nobody") == 2
    assert "'nobody'" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_export_has_every_attempt_once_and_as_it_was(tmp_path: Path, suffix: str) -> None:
    ledger, out = tmp_path / "ledger", tmp_path / f"all{suffix}"
    attempts = [record(n, f"答 {n}\n") for n in range(200)]
    append(ledger, *attempts)
    append(ledger, *attempts[:10], writer="copy")
    assert call("export", ledger, "--out", out) == 0
    if suffix == ".jsonl":
        rows = [Record(**json.loads(line)) for line in out.read_text("utf-8").split("\n")[:-1]]
    else:
        rows = list(read(out, Record))
    assert sorted(rows, key=lambda row: row.key) == attempts


def test_export_to_an_unknown_format_says_which_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    append(tmp_path, record(1))
    assert call("export", tmp_path, "--out", tmp_path / "all.csv") == 2
    assert ".jsonl or .parquet" in capsys.readouterr().err
    assert not (tmp_path / "all.csv").exists()


def test_stats_counts_attempts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    append(tmp_path, record(1), dataclasses.replace(record(2), finish_reason="length", n_tokens=15))
    append(tmp_path, record(1), writer="copy")
    assert call("stats", tmp_path) == 0
    shown = capsys.readouterr().out
    assert f"{tmp_path}: 2 attempts" in shown
    assert "20 completion (mean 10.0, median 10, most 15), 6 prompt" in shown
    assert "length: 1, stop: 1" in shown


def test_check_of_a_whole_ledger_and_of_one_that_is_written_to_finds_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segment = append(tmp_path, record(1), record(2))
    append(tmp_path, record(1), writer="copy")
    assert call("check", tmp_path) == 0
    assert "2 attempts, 1 stand there again: whole" in capsys.readouterr().out
    segment.write_bytes(segment.read_bytes() + segment.read_bytes()[:50])
    assert call("check", tmp_path) == 0
    assert "cut short by a crash, or being written now" in capsys.readouterr().out


def test_check_names_damage_and_conflicts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segment = append(tmp_path, record(1, "one"))
    size = segment.stat().st_size
    append(tmp_path, record(2, "two"))
    append(tmp_path, record(1, "another"), writer="other")
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert call("check", tmp_path) == 1
    shown = capsys.readouterr().out
    assert f"{segment}: bytes " in shown
    assert f"to {len(whole)}: damaged" in shown
    assert size < len(whole)
    assert f"other.ledger: {record(1).key} holds another answer than in {segment}" in shown
    assert "2 problems" in shown


def test_ledgers_of_several_machines_merge_into_one_whatever_their_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    append(one, record(1, "a"), record(2, "b"))
    append(two, record(2, "b"), record(3, "c"))
    for name, order in {"forth": (one, two), "back": (two, one)}.items():
        assert call("merge", *order, "--into", tmp_path / name) == 0
        assert texts(tmp_path / name, 1, 2, 3) == ["a", "b", "c"]
        assert "3 attempts, 0 stand there again: whole" in capsys.readouterr().out
    # Merged again, nothing is new.
    size = (tmp_path / "forth/merged.ledger").stat().st_size
    assert call("merge", one, two, "--into", tmp_path / "forth") == 0
    assert (tmp_path / "forth/merged.ledger").stat().st_size == size


def test_perplexities_merge_with_the_attempts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [bytes([n]) * 16 for n in range(3)]
    values = [Scored(2.5 + n, 7, cut=False) for n in range(3)]
    for name, shown in {"one": (0, 1), "two": (1, 2)}.items():
        append(tmp_path / name, record(1, "a"))
        with scored.Writer(tmp_path / name, "0000", engine="transformers") as writer:
            writer.append([{keys[n]: values[n]} for n in shown])
    for _ in range(2):
        assert call("merge", tmp_path / "one", tmp_path / "two", "--into", tmp_path / "all") == 0
        assert scored.known(tmp_path / "all", keys) == dict(zip(keys, values, strict=True))
    assert capsys.readouterr().out.count("perplexities are new") == 2


def test_a_merge_keeps_both_answers_of_a_conflict_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    append(tmp_path / "one", record(1, "a"))
    append(tmp_path / "two", record(1, "b"))
    assert call("merge", tmp_path / "one", tmp_path / "two", "--into", tmp_path / "both") == 1
    assert "holds another answer" in capsys.readouterr().out
    kept = [one.text for _, one in Ledger(tmp_path / "both").scan() if isinstance(one, Record)]
    assert sorted(kept) == ["a", "b"]


def test_a_segment_that_is_moved_to_another_ledger_is_part_of_it(tmp_path: Path) -> None:
    append(tmp_path / "here", record(1, "a"))
    moved = append(tmp_path / "there", record(2, "b"), writer="machine-2")
    moved.rename(tmp_path / "here/anything.ledger")
    assert texts(tmp_path / "here", 1, 2) == ["a", "b"]


def test_a_folder_that_is_no_ledger_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("check", tmp_path) == 2
    assert f"{tmp_path} holds no *.ledger file" in capsys.readouterr().err
    assert call("check", tmp_path / "none") == 2
    assert "is no ledger" in capsys.readouterr().err
