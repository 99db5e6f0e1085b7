"""What each teacher made of the queries of a page."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from sourcewise.view.asking import Tables
from sourcewise.view.catalogue import Catalogue, Teacher
from sourcewise.view.searching import Found, Mark


def marked(tables: Tables, held: Catalogue, page: Sequence[Found]) -> list[Found]:
    """The queries of a page with what each teacher made of them."""
    shards = sorted({one.shard for one in page})
    ids = [one.query_id for one in page]
    marks: dict[str, list[Mark]] = {identity: [] for identity in ids}
    for teacher in held.teachers:
        for query_id, *mark in _marks(tables, teacher, shards, ids, held.stop_score):
            marks[query_id].append(Mark(teacher.name, *mark))
    return [dataclasses.replace(one, marks=tuple(marks[one.query_id])) for one in page]


def _marks(
    tables: Tables, teacher: Teacher, shards: list[str], ids: list[str], stop_score: float
) -> list[tuple[Any, ...]]:
    answers, verdicts = (teacher.tables(shards, kind) for kind in ("responses", "verdicts"))
    if not answers:
        return []
    judged = "SELECT query_id, attempt, status, score FROM read_parquet(?) WHERE query_id IN ?"
    if not verdicts:
        judged = "SELECT NULL query_id, NULL attempt, NULL::VARCHAR status, NULL::DOUBLE score"
    return tables.ask(
        f"""
        SELECT query_id, count(*), min(attempt) FILTER (score >= ?),
               last(status ORDER BY attempt), last(score ORDER BY attempt)
        FROM (SELECT query_id, attempt FROM read_parquet(?) WHERE query_id IN ?)
        LEFT JOIN ({judged}) USING (query_id, attempt)
        GROUP BY query_id
        """,
        [stop_score, answers, ids, *([verdicts, ids] if verdicts else [])],
    )
