"""What students made of benchmark questions: the shares of a benchmark's questions, and the samples of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sourcewise.tables import Query, Response, Verdict
from sourcewise.view.asking import Tables
from sourcewise.view.attempts import Attempt
from sourcewise.view.catalogue import Benchmark, Catalogue
from sourcewise.view.searching import PAGE, SNIPPET, TEXT

# A sample is correct with the full score, as the report counts it.
CORRECT = 1.0 - 1e-9


class Samples(NamedTuple):
    """A student's samples of a question: the first of them, how many there are and how many are correct."""

    student: str
    first: tuple[Attempt, ...]
    n: int
    correct: int


class Sampled(NamedTuple):
    """The samples of all students at a question of a benchmark."""

    benchmark: str
    question: Query
    students: tuple[Samples, ...]


class Question(NamedTuple):
    """A row of a benchmark's table: `shares` are (correct, samples) of each student, None without samples."""

    query_id: str
    text: str
    shares: tuple[tuple[int, int] | None, ...]


def questions(tables: Tables, benchmark: Benchmark, first: int) -> list[Question]:
    """A page of the questions of a benchmark, those that students differ about most first."""
    files = benchmark.questions()
    if not files:
        return []
    counted = [_counts(tables, benchmark, student) for student in benchmark.students]
    rows = tables.ask(
        f"SELECT query_id, {TEXT}[:{SNIPPET + 1}] FROM read_parquet(?) ORDER BY query_id", [files]
    )
    found = [Question(one, text, tuple(of.get(one) for of in counted)) for one, text in rows]
    found.sort(key=lambda one: (-_spread(one), one.query_id))
    return found[first : first + PAGE]


def _counts(tables: Tables, benchmark: Benchmark, student: str) -> dict[str, tuple[int, int]]:
    files = benchmark.table(student, "grades")
    if not files:
        return {}
    rows = tables.ask(
        "SELECT query_id, count(*) FILTER (score >= ?), count(*) FROM read_parquet(?) GROUP BY 1",
        [CORRECT, files],
    )
    return {query_id: (correct, n) for query_id, correct, n in rows}


def _spread(question: Question) -> float:
    shares = [one[0] / one[1] for one in question.shares if one]
    return max(shares) - min(shares) if shares else 0.0


def sampled(tables: Tables, held: Catalogue, query_id: str, most: int | None) -> Iterator[Sampled]:
    """What students made of a question, benchmark by benchmark; the first `most` samples of each, or all."""
    for benchmark in held.benchmarks:
        asked = tables.of_query(Query, benchmark.questions(), query_id)
        if asked:
            students = tuple(
                _samples(tables, benchmark, student, query_id, most)
                for student in benchmark.students
            )
            yield Sampled(benchmark.name, asked[0], students)


def _samples(
    tables: Tables, benchmark: Benchmark, student: str, query_id: str, most: int | None
) -> Samples:
    answers = tables.of_query(Response, benchmark.table(student, "samples"), query_id)
    grades = tables.of_query(Verdict, benchmark.table(student, "grades"), query_id)
    graded = {one.attempt: one for one in grades}
    first = [
        Attempt(one, graded.get(one.attempt), None, _correct(graded.get(one.attempt)))
        for one in sorted(answers, key=lambda one: one.attempt)[:most]
    ]
    return Samples(student, tuple(first), len(answers), sum(map(_correct, grades)))


def _correct(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.score is not None and verdict.score >= CORRECT
