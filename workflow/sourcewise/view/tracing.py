"""All that the tables say of one query: who answered what, what was made of it, and where it was dropped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sourcewise.tables import (
    Contamination,
    Perplexity,
    Query,
    Reject,
    Response,
    Selected,
    Verdict,
)
from sourcewise.view.asking import Tables
from sourcewise.view.attempts import Attempt
from sourcewise.view.catalogue import Catalogue, Dataset, Teacher
from sourcewise.view.sampling import Sampled, sampled


class Outcome(NamedTuple):
    """What a dataset made of the query: `fate` is example, selected, dropped (by a filter) or not_selected."""

    dataset: str
    fate: str
    said: str
    students: tuple[str, ...]


@dataclass(frozen=True)
class Trace:
    """A query, in the corpus (then with its shard) or not, with everything that refers to it.

    A question of a benchmark has `samples`; most of them are in no source.
    """

    query: Query
    shard: str | None
    attempts: tuple[tuple[str, tuple[Attempt, ...]], ...]
    outcomes: tuple[Outcome, ...]
    rejects: tuple[Reject, ...]
    evidence: tuple[Contamination, ...]
    samples: tuple[Sampled, ...]


def trace(
    tables: Tables, held: Catalogue, query_id: str, *, most: int | None = None
) -> Trace | None:
    """Everything about a query, of each student's samples the first `most`; None where no table has it."""
    shard = _shard(tables, held, query_id)
    files = held.corpus([shard]) if shard else held.collected()
    samples = tuple(sampled(tables, held, query_id, most))
    queries = tables.of_query(Query, files, query_id) or [one.question for one in samples]
    if not queries:
        return None
    return Trace(
        query=queries[0],
        shard=shard,
        attempts=tuple(
            (one.name, tuple(_attempts(tables, one, shard, query_id, held.stop_score)))
            for one in held.teachers
            if shard
        ),
        outcomes=tuple(
            outcome for one in held.datasets for outcome in _outcomes(tables, one, query_id)
        ),
        rejects=tuple(tables.of_query(Reject, held.rejects(), query_id)),
        evidence=tuple(tables.of_query(Contamination, held.contamination(), query_id)),
        samples=samples,
    )


def _shard(tables: Tables, held: Catalogue, query_id: str) -> str | None:
    files = held.corpus(held.shards)
    if not files:
        return None
    found = tables.ask(
        "SELECT filename FROM read_parquet(?, filename = true) WHERE query_id = ? LIMIT 1",
        [files, query_id],
    )
    return Path(found[0][0]).stem if found else None


def _attempts(
    tables: Tables, teacher: Teacher, shard: str, query_id: str, stop_score: float
) -> Iterator[Attempt]:
    answers = tables.of_query(Response, teacher.tables([shard], "responses"), query_id)
    verdicts = tables.of_query(Verdict, teacher.tables([shard], "verdicts"), query_id)
    perplexities = tables.of_query(Perplexity, teacher.perplexities([shard]), query_id)
    judged = {one.attempt: one for one in verdicts}
    # The first scorer's row stands first.
    scored = {one.attempt: one for one in reversed(list(perplexities))}
    for response in sorted(answers, key=lambda one: one.attempt):
        verdict = judged.get(response.attempt)
        score = verdict.score if verdict else None
        accepted = score is not None and score >= stop_score
        yield Attempt(response, verdict, scored.get(response.attempt), accepted)


def _outcomes(tables: Tables, dataset: Dataset, query_id: str) -> Iterator[Outcome]:
    """One for each attempt that the dataset looked at, the examples first."""
    examples = _examples(tables, dataset, query_id)
    dropped = tables.of_query(Reject, dataset.table("rejects"), query_id)
    for teacher, attempt, score in sorted(examples):
        yield _outcome(dataset, "example", _attempt(teacher, attempt, score))
    for one in tables.of_query(Selected, dataset.table("selected"), query_id):
        said = _attempt(one.teacher, one.attempt, one.score)
        told = f"{one.teacher}, attempt {one.attempt}:"
        filtered = any(drop.value.startswith(told) for drop in dropped)
        if (one.teacher, one.attempt, one.score) not in examples and not filtered:
            yield _outcome(dataset, "selected", said)
    for drop in dropped:
        yield _outcome(dataset, "dropped", f"{drop.by}: {_told(drop)}")
    for drop in tables.of_query(Reject, dataset.table("select-rejects"), query_id):
        yield _outcome(dataset, "not_selected", _told(drop))


def _examples(
    tables: Tables, dataset: Dataset, query_id: str
) -> Sequence[tuple[str, int, float | None]]:
    """Teacher, attempt and score of the examples of a query; their texts are those of the responses."""
    files = dataset.table("examples")
    if not files:
        return []
    rows = tables.ask(
        "SELECT teacher, attempt, score FROM read_parquet(?) WHERE query_id = ?", [files, query_id]
    )
    return [(teacher, attempt, score) for teacher, attempt, score in rows]


def _outcome(dataset: Dataset, fate: str, said: str) -> Outcome:
    return Outcome(dataset.name, fate, said, dataset.students if fate == "example" else ())


def _told(drop: Reject) -> str:
    reason = drop.reason.replace("_", " ")
    return f"{reason} ({drop.value})" if drop.value else reason


def _attempt(teacher: str, attempt: int, score: float | None) -> str:
    shown = "not scored" if score is None else f"score {score:g}"
    return f"{teacher}, attempt {attempt}, {shown}"
