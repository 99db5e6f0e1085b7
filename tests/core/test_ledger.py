"""The ledger keeps every finished attempt through crashes, and gives it to its own question only."""

from __future__ import annotations

import dataclasses
import os
import random
import resource
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from sourcewise.ledger import Ledger, Record, attempt_key, attempt_seed, identity

RECORD = Record(
    key="",
    query_id="q" * 32,
    attempt=1,
    text="<think>zwei\nZeilen\u2028 и 中文</think>",
    finish_reason="stop",
    n_tokens=5,
    n_prompt_tokens=3,
    seed=7,
    engine="transformers 5",
    revision="main",
    created="2025-01-01T00:00:00+00:00",
)


def record(number: int, text: str = "x") -> Record:
    return dataclasses.replace(RECORD, key=f"{number:032x}", text=text)


def append(directory: Path, *records: Record, writer: str = "0000") -> Path:
    with Ledger(directory).writer(writer) as segment:
        segment.append(records)
    return directory / f"{writer}.ledger"


def test_what_was_appended_is_found_by_its_key(tmp_path: Path) -> None:
    kept = dataclasses.replace(RECORD, key="a" * 32)
    append(tmp_path / "new", kept, record(1))
    found = Ledger(tmp_path / "new").get({"a" * 32, "b" * 32})
    assert dict(found) == {"a" * 32: kept}


def test_a_ledger_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    assert len(Ledger(tmp_path / "none").get({"a" * 32})) == 0
    assert not (tmp_path / "none").exists()


def test_texts_that_were_not_asked_for_are_not_held(tmp_path: Path) -> None:
    append(tmp_path, *(record(n, "long " * 2000) for n in range(1000)))
    tracemalloc.start()
    found = Ledger(tmp_path).get({record(n).key for n in range(500)})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 500
    assert peak < 1_000_000, "500 texts alone are 5 MB"


def test_a_record_cut_at_any_byte_is_dropped_and_the_others_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segment = append(tmp_path, record(1))
    before = segment.stat().st_size
    append(tmp_path, record(2))
    whole = segment.read_bytes()
    for size in range(before + 1, len(whole)):
        segment.write_bytes(whole[:size])
        assert set(Ledger(tmp_path).get({record(1).key, record(2).key})) == {record(1).key}
        append(tmp_path, record(3))
        assert f"({size - before} bytes at the end)" in capsys.readouterr().err
        assert len(Ledger(tmp_path).get({record(n).key for n in (1, 2, 3)})) == 2


def test_a_record_damaged_in_the_middle_is_ignored_and_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segment = append(tmp_path, record(1))
    start = segment.stat().st_size
    append(tmp_path, record(2))
    end = segment.stat().st_size
    append(tmp_path, record(3))
    whole = segment.read_bytes()
    for place in range(start, end - 1):
        segment.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        found = Ledger(tmp_path).get({record(n).key for n in (1, 2, 3)})
        assert set(found) == {record(1).key, record(3).key}, place
        assert f"{segment}: " in capsys.readouterr().err


@pytest.mark.parametrize("names", [("0001", "0002"), ("0002", "0001")])
def test_of_two_answers_under_one_key_the_one_made_first_counts_and_the_other_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, str]
) -> None:
    early = dataclasses.replace(record(1, "early"), created="2025-01-01T00:00:00+00:00")
    late = dataclasses.replace(record(1, "late"), created="2025-01-01T00:00:01+00:00")
    append(tmp_path, early, writer=names[0])
    append(tmp_path, late, writer=names[1])
    assert Ledger(tmp_path).get({early.key})[early.key].text == "early"
    reported = capsys.readouterr().err
    assert f"{names[1]}.ledger" in reported.partition("holds another answer than")[0]
    assert early.key in reported


def test_of_two_answers_of_one_second_the_same_counts_whatever_the_segments_are_called(
    tmp_path: Path,
) -> None:
    one, other = record(1, "one"), record(1, "other")
    append(tmp_path / "a", one, writer="0001")
    append(tmp_path / "a", other, writer="0002")
    append(tmp_path / "b", other, writer="0001")
    append(tmp_path / "b", one, writer="0002")
    counted = [Ledger(tmp_path / part).get({one.key})[one.key].text for part in "ab"]
    assert len(set(counted)) == 1


def test_the_same_answer_twice_is_no_conflict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    append(tmp_path, record(1), dataclasses.replace(record(1), created="later", engine="vllm"))
    assert len(Ledger(tmp_path).get({record(1).key})) == 1
    assert capsys.readouterr().err == ""


def test_a_batch_that_does_not_fit_on_the_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    segment = append(tmp_path, record(1))
    size = segment.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Ledger(tmp_path).writer("0000") as writer:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1000, limits[1]))
        try:
            with pytest.raises(OSError, match=r"not kept.*0000\.ledger"):
                writer.append([record(2), record(3, random.Random(1).randbytes(5000).hex())])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert segment.stat().st_size == size
        writer.append([record(2)])
    assert len(Ledger(tmp_path).get({record(n).key for n in (1, 2, 3)})) == 2


@pytest.mark.parametrize("link", ["hard", "symbolic"])
def test_appending_to_a_link_leaves_the_file_behind_it_alone(tmp_path: Path, link: str) -> None:
    cached = append(tmp_path / "cache", record(1))
    before = cached.read_bytes()
    (tmp_path / "ledger").mkdir()
    segment = tmp_path / "ledger/0000.ledger"
    segment.hardlink_to(cached) if link == "hard" else segment.symlink_to(cached)
    append(tmp_path / "ledger", record(2))
    assert cached.read_bytes() == before
    assert len(Ledger(tmp_path / "ledger").get({record(1).key, record(2).key})) == 2


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


HOLD = """
import sys, time
from pathlib import Path
from sourcewise.ledger import Ledger
with Ledger(Path(sys.argv[1])).writer("0000"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_told_the_pid_of_the_first_and_a_dead_one_is_no_writer(
    tmp_path: Path,
) -> None:
    holder = start(HOLD, tmp_path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with (
        pytest.raises(RuntimeError, match=f"held by process {holder.pid}"),
        Ledger(tmp_path).writer("0000"),
    ):
        pass
    append(tmp_path, record(1), writer="0001")
    holder.kill()
    holder.wait()
    append(tmp_path, record(2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0000.ledger", "0001.ledger"]


LEAVE_A_CHILD = """
import os, sys, time
from pathlib import Path
from sourcewise.ledger import Ledger
with Ledger(Path(sys.argv[1])).writer("0000"):
    child = os.fork()
    if child == 0:
        print(os.getpid(), flush=True)
        time.sleep(60)
    time.sleep(60)
"""


def test_a_child_that_outlives_its_writer_does_not_keep_the_lock(tmp_path: Path) -> None:
    writer = start(LEAVE_A_CHILD, tmp_path)
    assert writer.stdout is not None
    child = int(writer.stdout.readline())
    writer.kill()
    writer.wait()
    try:
        append(tmp_path, record(1))
    finally:
        os.kill(child, signal.SIGKILL)


APPEND_FOR_EVER = """
import dataclasses, itertools, sys
from pathlib import Path
from sourcewise.ledger import Ledger, Record
sys.path.insert(0, sys.argv[2])
from test_ledger import record
with Ledger(Path(sys.argv[1])).writer("0000") as writer:
    for start in itertools.count(0, 3):
        writer.append([record(n, f"answer to {n} " * 500) for n in range(start, start + 3)])
        print(start + 3, flush=True)
"""


@pytest.mark.parametrize("number", range(4))
def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, number: int) -> None:
    writer = start(APPEND_FOR_EVER, tmp_path, Path(__file__).parent)
    assert writer.stdout is not None
    for _ in range(random.Random(number).randrange(1, 40)):
        acknowledged = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    append(tmp_path, record(1 << 40))
    keys = [record(n).key for n in range(acknowledged)]
    found = Ledger(tmp_path).get([*keys, record(1 << 40).key])
    assert len(found) == acknowledged + 1
    assert all(found[key].text == f"answer to {n} " * 500 for n, key in enumerate(keys))


SAMPLING = {"temperature": 0.6, "top_p": 0.95, "max_tokens": 100}


def test_identity_is_who_answers_and_how() -> None:
    known = identity(weights="m@1", system=None, sampling=SAMPLING)
    assert known == identity(weights="m@1", system=None, sampling=dict(reversed(SAMPLING.items())))
    others = {
        identity(weights="m@2", system=None, sampling=SAMPLING),
        identity(weights="m@1", system="", sampling=SAMPLING),
        identity(weights="m@1", system=None, sampling={**SAMPLING, "top_p": 0.9}),
    }
    assert len(others - {known}) == 3


def test_every_attempt_has_its_own_seed_of_31_bits_and_its_own_key() -> None:
    seeds = {attempt_seed(s, q, k) for s in (1, 11) for q in ("a", "b") for k in range(1, 500)}
    assert len(seeds) == 1996
    assert 0 <= min(seeds) < max(seeds) < 2**31
    assert attempt_seed(1, "a", 1) == attempt_seed(1, "a", 1)
    keys = {attempt_key(i, q, k, s) for i in "xy" for q in "ab" for k in (1, 2) for s in (1, 2)}
    assert len(keys) == 16
