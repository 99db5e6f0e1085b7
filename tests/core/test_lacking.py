"""What a job of `generate` runs on: where somebody is to be asked, a GPU."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from sourcewise.asking import request
from sourcewise.dag.lacking import asks, needs_gpu
from sourcewise.ledger import Ledger, Record
from sourcewise.params.root import load
from sourcewise.stages.generate import identity_of, weights_of_teacher
from sourcewise.tables import Message, Query, Verdict, write
from sourcewise.text import query_id

PRESET = Path(__file__).resolve().parents[2] / "workflow/presets/test.yaml"
QUERIES, VERDICTS = Path("queries.parquet"), Path("verdicts.parquet")


def question(number: int) -> Query:
    messages = [Message("user", f"{number} + 1?")]
    return Query(query_id(messages), "here", "math", messages, "{}", "MIT")


QUESTIONS = [question(number) for number in range(3)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working copy with three questions, a teacher that a job runs itself and nothing asked."""
    monkeypatch.chdir(tmp_path)
    use("vllm")
    write(QUERIES, Query, QUESTIONS)


class Inputs(list[str]):
    """What Snakemake hands over: a list whose parts have names."""

    def __init__(self, verdicts: str | list[str]) -> None:
        super().__init__([str(QUERIES), *([verdicts] if isinstance(verdicts, str) else verdicts)])
        self.queries, self.verdicts = str(QUERIES), verdicts


def job(attempt: int) -> tuple[Any, Any]:
    """What an expression of a profile is given."""
    # Snakemake hands over one file as a text, none as a list.
    inputs = Inputs([] if attempt == 1 else str(VERDICTS))
    return SimpleNamespace(teacher="terse", attempt=str(attempt)), inputs


def use(engine: str) -> None:
    params = yaml.safe_load(PRESET.read_text())
    params["teachers"]["terse"] |= {"engine": engine, "model": "somebody/terse"}
    Path("params.yaml").write_text(yaml.safe_dump(params))


def answer(query: Query, attempt: int) -> None:
    """Puts an answer into the ledger."""
    params = load(Path("params.yaml"))
    teacher = params.teachers["terse"]
    identity = identity_of(teacher, weights_of_teacher(teacher))
    asked = request(identity, query.messages, attempt=attempt, seed=params.seed, max_tokens=24)
    with Ledger(Path("data/distill/terse/ledger")).writer(query.query_id) as segment:
        told = ("1", "stop", 1, 5, asked.seed, "server 1", "local", "2026-01-01T00:00:00+00:00")
        segment.append([Record(asked.key, asked.query_id, attempt, *told)])


def judge(*scores: float) -> None:
    write(
        VERDICTS,
        Verdict,
        [
            Verdict(query.query_id, 1, "scored", score, "", "math", "1")
            for query, score in zip(QUESTIONS, scores, strict=True)
        ],
    )


def test_questions_that_nobody_answered_need_a_gpu() -> None:
    assert needs_gpu(*job(1))
    for query in QUESTIONS[:2]:
        answer(query, 1)
        assert needs_gpu(*job(1))


def test_a_round_that_the_ledger_answers_needs_none() -> None:
    for query in QUESTIONS:
        answer(query, 1)
    assert not needs_gpu(*job(1))


def test_a_later_round_needs_one_for_open_questions_only() -> None:
    judge(1.0, 0.0, 1.0)
    assert needs_gpu(*job(2))
    answer(QUESTIONS[1], 2)
    assert not needs_gpu(*job(2))
    judge(1.0, 1.0, 1.0)
    assert not needs_gpu(*job(2))


def test_what_is_not_made_yet_is_not_known_yet() -> None:
    with pytest.raises(FileNotFoundError):
        needs_gpu(*job(2))


def test_verdicts_of_another_corpus_stop_nothing_before_they_are_made_anew() -> None:
    judge(1.0, 1.0, 1.0)
    write(QUERIES, Query, QUESTIONS[:2])
    assert needs_gpu(*job(2))


def test_a_teacher_that_is_asked_elsewhere_needs_time_and_no_gpu() -> None:
    use("server")
    assert asks(*job(1))
    assert not needs_gpu(*job(1))
