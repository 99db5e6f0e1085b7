"""Stage generate: asks for what the ledger lacks, and every answer stays with its own question."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from sourcewise.asking import weights_of
from sourcewise.corpus.reading import RowError
from sourcewise.ledger import Ledger, Record
from sourcewise.params.distill import Futility, Teacher
from sourcewise.stages import generate
from sourcewise.tables import Message, Query, Response, Verdict, read, write
from sourcewise.text import query_id

GSM8K = Path(__file__).parents[3] / "shared/data/gsm8k"


def ask(text: str) -> Query:
    messages = [Message("user", text)]
    return Query(query_id(messages), "here", "math", messages, "{}", "MIT")


class Run:
    """A folder with an imported teacher in it; calling it runs the stage and returns its rows."""

    def __init__(self, folder: Path, attempts: int = 3) -> None:
        self.folder, self.attempts = folder, attempts
        self.released = folder / "released.jsonl"
        self.wrap = {"rule": "none"}
        self.futility: Futility | None = None

    def release(self, *rows: tuple[str, str]) -> None:
        lines = [json.dumps({"q": question, "by": {"a": answer}}) for question, answer in rows]
        self.released.write_text("\n".join(lines) + "\n")

    def __call__(
        self,
        *questions: str,
        attempt: int = 1,
        judged: Mapping[str, float | str | None] | None = None,
        stop_score: float | None = None,
    ) -> list[Response]:
        queries, out = self.folder / "0000.parquet", self.folder / f"round-{attempt}.parquet"
        write(queries, Query, map(ask, questions))
        verdicts = self.folder / "verdicts.parquet"
        write(verdicts, Verdict, [verdict(q, s) for q, s in (judged or {}).items()])
        source = {
            "files": [str(self.released)],
            "prompt": "q",
            "response": "by.a",
            "attempts": self.attempts,
        }
        teacher = {"revision": "2021-10", "wrap": self.wrap, "import": source}
        generate.run(
            name="released",
            teacher=Teacher.model_validate_json(json.dumps(teacher)),
            seed=7,
            attempt=attempt,
            stop_score=stop_score,
            futility=self.futility,
            queries=queries,
            verdicts=() if judged is None else (verdicts,),
            ledger=self.folder / "ledger",
            out=out,
        )
        return list(read(out, Response))


def verdict(question: str, judged: float | str | None) -> Verdict:
    """The verdict with a score, or without one and the status that is given in its place."""
    score = None if isinstance(judged, str) else judged
    status = judged if isinstance(judged, str) else "no_answer" if judged is None else "scored"
    return Verdict(ask(question).query_id, 1, status, score, "", "math", "1")


@pytest.fixture
def stage(tmp_path: Path) -> Run:
    run = Run(tmp_path)
    run.release(
        ("one?", "1"), ("two?", "2"), ("three?", "3"), ("one?", "again 1"), ("two?", "again 2")
    )
    return run


def answers(rows: list[Response]) -> dict[str, str]:
    return {row.query_id: row.text for row in rows}


def test_rows_are_joined_by_content_and_keep_the_order_of_the_queries(stage: Run) -> None:
    rows = stage("three?", "one?")
    assert [(row.query_id, row.text) for row in rows] == [
        (ask("three?").query_id, "3"),
        (ask("one?").query_id, "1"),
    ]
    first = rows[0]
    assert (first.attempt, first.teacher, first.engine) == (1, "released", "imported")
    assert (first.finish_reason, first.n_tokens, first.revision) == ("unknown", 1, "2021-10")


def test_a_second_run_asks_nothing_and_does_not_even_import_the_engine(
    stage: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = stage("one?", "two?")
    assert "asked 2, from the ledger 0, of 2 wanted" in capsys.readouterr().err
    sys.modules.pop("sourcewise.engines.imported")
    assert stage("one?", "two?") == rows
    assert "asked 0, from the ledger 2, of 2 wanted" in capsys.readouterr().err
    assert "sourcewise.engines.imported" not in sys.modules


def test_a_permuted_edited_and_grown_corpus_never_moves_an_answer(
    stage: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    stage("one?", "two?")
    capsys.readouterr()
    rows = stage("three?", "two, really?", "one?")
    assert answers(rows) == {ask("three?").query_id: "3", ask("one?").query_id: "1"}
    said = capsys.readouterr().err
    assert "asked 1, from the ledger 1, of 3 wanted; 1 have no response" in said


def test_an_edited_release_is_read_again(stage: Run) -> None:
    stage("one?")
    stage.release(("one?", "corrected"))
    assert answers(stage("one?")) == {ask("one?").query_id: "corrected"}


def test_round_two_asks_what_round_one_left_open(stage: Run) -> None:
    judged = {"one?": 1.0, "two?": 0.4, "three?": None}
    rows = stage("one?", "two?", "three?", attempt=2, judged=judged, stop_score=0.9)
    assert [(row.query_id, row.attempt, row.text) for row in rows] == [
        (ask("two?").query_id, 2, "again 2")
    ]


def test_a_higher_stop_score_asks_exactly_for_what_is_newly_missing(
    stage: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    judged = {"one?": 0.95, "two?": 0.4}
    stage("one?", "two?", attempt=2, judged=judged, stop_score=0.9)
    capsys.readouterr()
    rows = stage("one?", "two?", attempt=2, judged=judged, stop_score=1.0)
    assert "asked 1, from the ledger 1, of 2 wanted" in capsys.readouterr().err
    assert [row.text for row in rows] == ["again 1", "again 2"]


def test_a_prompt_that_did_not_fit_is_not_asked_again(stage: Run) -> None:
    judged = {"one?": "prompt_too_long", "two?": None}
    rows = stage("one?", "two?", attempt=2, judged=judged, stop_score=0.9)
    assert [row.text for row in rows] == ["again 2"]


HOPELESS = Futility(min_acceptance=0.05, confidence=0.95)


@pytest.mark.parametrize(
    ("asked", "accepted", "futility", "asks"),
    [
        # The upper ends are 0.026, 0.053, 0.051 and 0.119.
        (100, 0, HOPELESS, 0),
        (50, 0, HOPELESS, 50),
        (100, 2, HOPELESS, 98),
        (20, 0, HOPELESS, 20),
        (100, 0, None, 100),
    ],
)
def test_a_category_is_given_up_only_when_the_round_before_says_so_clearly(
    tmp_path: Path, asked: int, accepted: int, futility: Futility | None, asks: int
) -> None:
    stage = Run(tmp_path)
    questions = [f"number {number}?" for number in range(asked)]
    stage.release(*((question, "no") for question in questions for _ in range(2)))
    stage.futility = futility
    judged = {question: float(n < accepted) for n, question in enumerate(questions)}
    assert len(stage(*questions, attempt=2, judged=judged, stop_score=0.9)) == asks


def test_a_round_with_nothing_open_is_an_empty_table(stage: Run) -> None:
    assert stage("one?", attempt=2, judged={"one?": 0.9}, stop_score=0.9) == []


def test_rows_beyond_the_attempts_of_an_import_are_not_taken(tmp_path: Path) -> None:
    stage = Run(tmp_path, attempts=1)
    stage.release(("one?", "1"), ("one?", "again 1"))
    assert stage("one?", attempt=2, judged={"one?": None}, stop_score=0.9) == []


def test_the_table_holds_the_wrapped_text_and_the_ledger_the_raw_one(
    stage: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    stage("one?")
    stage.wrap = {"rule": "whole"}
    capsys.readouterr()
    assert [row.text for row in stage("one?")] == ["<answer>1</answer>"]
    assert "asked 0" in capsys.readouterr().err
    [(_, record)] = Ledger(stage.folder / "ledger").scan()
    assert isinstance(record, Record)
    assert record.text == "1"


def test_same_input_gives_the_same_bytes(stage: Run, tmp_path: Path) -> None:
    stage("one?", "two?")
    other = Run(tmp_path / "other")
    other.folder.mkdir()
    other.released.write_bytes(stage.released.read_bytes())
    other("one?", "two?")
    name = "round-1.parquet"
    assert (stage.folder / name).read_bytes() == (other.folder / name).read_bytes()


def test_a_row_without_a_response_is_an_attempt_that_gave_none(stage: Run) -> None:
    stage.released.write_text('{"q": "one?", "by": {"a": null}}\n{"q": "one?", "by": {"a": "1"}}\n')
    [row] = stage("one?")
    assert (row.text, row.finish_reason) == ("", "no_response")
    [row] = stage("one?", attempt=2, judged={"one?": None}, stop_score=0.9)
    assert (row.text, row.finish_reason) == ("1", "unknown")


def test_half_a_surrogate_pair_does_not_stop_the_table(stage: Run) -> None:
    stage.released.write_text('{"q": "one?", "by": {"a": "x\\ud800y \\ud83d\\ude00"}}\n')
    assert [row.text for row in stage("one?")] == ["x\ufffdy 😀"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"q": "two?"', r"released\.jsonl:2: not JSON"),
        ('{"q": "two?"}', r"released\.jsonl:2: no column 'by\.a'.*correct the import's columns"),
        ('{"q": "two?", "by": {"a": 2}}', r"released\.jsonl:2: column 'by\.a' is not text"),
    ],
)
def test_a_malformed_row_is_an_error_with_file_and_line(
    stage: Run, line: str, message: str
) -> None:
    stage.released.write_text('{"q": "one?", "by": {"a": "1"}}\n' + line + "\n")
    with pytest.raises(RowError, match=message):
        stage("one?", "two?")


def test_a_release_that_is_not_there_is_an_error_with_its_path(stage: Run) -> None:
    stage.released.unlink()
    with pytest.raises(
        FileNotFoundError, match=r"released\.jsonl does not exist: correct the path"
    ):
        stage("one?")


def test_a_later_round_without_verdicts_is_an_error(stage: Run) -> None:
    with pytest.raises(ValueError, match="attempt 2 with 0 verdict tables"):
        stage("one?", attempt=2, stop_score=0.9)


def test_verdicts_on_queries_of_another_shard_are_an_error(stage: Run) -> None:
    with pytest.raises(ValueError, match=r"judges 1 queries that .* lacks"):
        stage("one?", attempt=2, judged={"two?": 0.0}, stop_score=0.9)


def test_a_retrained_model_in_the_same_place_is_another_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"first")
    first = weights_of(str(tmp_path), "local", engine="vllm")
    (tmp_path / "training.json").write_text('{"seconds": 3}')
    assert weights_of(str(tmp_path), "other", engine="transformers") == first
    (tmp_path / "model.safetensors").write_bytes(b"again")
    assert weights_of(str(tmp_path), "local", engine="vllm") != first


def test_a_large_model_is_known_by_samples_of_its_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    weights = tmp_path / "model.safetensors"
    with weights.open("wb") as file:
        file.truncate(80 << 20)
    first = weights_of(str(tmp_path), "local", engine="vllm")
    with weights.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"x")
    assert weights_of(str(tmp_path), "local", engine="vllm") != first


def test_a_model_directory_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError, match="models/pretrained/none does not exist"):
        weights_of("models/pretrained/none", "local", engine="vllm")
    assert weights_of("Qwen/Qwen3-32B", "abc", engine="vllm") == "Qwen/Qwen3-32B@abc"


@pytest.mark.skipif(not GSM8K.exists(), reason="../shared/data is not beside the repository")
def test_the_released_gsm8k_solutions_find_all_their_queries(tmp_path: Path) -> None:
    stage = Run(tmp_path, attempts=1)
    solutions = (GSM8K / "example_model_solutions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in solutions]
    stage.release(*((row["question"], row["175b_verification"]["solution"]) for row in rows))
    queries = (GSM8K / "test.jsonl").read_text(encoding="utf-8").splitlines()
    found = stage(*(json.loads(line)["question"] for line in reversed(queries)))
    assert len(found) == 1319
    by_question = {ask(row["question"]).query_id: row["175b_verification"] for row in rows}
    assert all(row.text == by_question[row.query_id]["solution"] for row in found)
