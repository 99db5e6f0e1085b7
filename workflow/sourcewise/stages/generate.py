"""Attempt k of one teacher at one shard of queries.

Reads Query and, from round 2 on, the Verdicts of the round before; writes Response. What was ever
answered is taken from the ledger, and only the rest is asked.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType

from sourcewise.asking import Engine, Question, ask, files_digest, request, responses, weights_of
from sourcewise.engines.contract import Batch, Request
from sourcewise.futility import futile
from sourcewise.ledger import identity
from sourcewise.params.distill import Futility, Teacher
from sourcewise.tables import Query, Response, Verdict, read, write
from sourcewise.wrapping import wrap


def run(
    *,
    name: str,
    teacher: Teacher,
    seed: int,
    attempt: int,
    stop_score: float | None,
    futility: Futility | None,
    queries: Path,
    verdicts: tuple[Path, ...],
    ledger: Path,
    out: Path,
) -> None:
    """Asks teacher `name` for attempt `attempt` at every query that is still open.

    Round 1 asks all queries; a later round those whose verdict in `verdicts` lacks a score of at least
    `stop_score`, but for prompts that do not fit into the model's context and for categories that
    `futility` gives up. Rows keep the order of the queries.
    """
    weights = weights_of_teacher(teacher)
    identified = identity_of(teacher, weights)
    wanted = [
        Question(
            query.query_id,
            request(
                identified,
                query.messages,
                attempt=attempt,
                seed=seed,
                max_tokens=teacher.sampling.max_tokens if teacher.sampling else 0,
            ),
        )
        for query in open_queries(queries, verdicts, attempt, stop_score, futility)
    ]
    found = ask(
        [question.asked for question in wanted],
        engine=teacher.engine or "imported",
        run=_engine(teacher),
        revision=weights if weights.startswith("files:") else teacher.revision,
        ledger=ledger,
        writer=queries.stem,
        label=f"generate {name}, attempt {attempt}, shard {queries.stem}",
    )
    wrapped = partial(wrap, rule=teacher.wrap)
    write(out, Response, responses(wanted, found, teacher=name, wrap=wrapped))


def open_queries(
    queries: Path,
    verdicts: tuple[Path, ...],
    attempt: int,
    stop_score: float | None,
    futility: Futility | None,
) -> list[Query]:
    """The queries that this round asks, in the order of the table."""
    if (attempt == 1) != (not verdicts) or (attempt > 1) != (stop_score is not None):
        raise ValueError(
            f"attempt {attempt} with {len(verdicts)} verdict tables and stop_score {stop_score}: "
            "attempt 1 takes neither, a later one both"
        )
    rows = list(read(queries, Query))
    if stop_score is None:
        return rows
    categories = {query.query_id: query.category for query in rows}
    judged = [verdict for path in verdicts for verdict in read(path, Verdict)]
    if unknown := {verdict.query_id for verdict in judged} - categories.keys():
        raise ValueError(
            f"{verdicts[0]} judges {len(unknown)} queries that {queries} lacks, {min(unknown)} "
            "among them: run the round before again"
        )
    accepted = {v.query_id: v.score is not None and v.score >= stop_score for v in judged}
    too_long = {v.query_id for v in judged if v.status == "prompt_too_long"}
    given_up: set[str] = set()
    if futility is not None:
        given_up = futile(((categories[q], passed) for q, passed in accepted.items()), futility)
    for category in sorted(given_up):
        print(f"generate: {category}: given up before attempt {attempt}", file=sys.stderr)
    return [
        query
        for query in rows
        if accepted.get(query.query_id) is False
        and query.query_id not in too_long
        and query.category not in given_up
    ]


def weights_of_teacher(teacher: Teacher) -> str:
    """What stands for a teacher's weights: those of its model, or the files that are taken in."""
    if teacher.imported is not None:
        source = teacher.imported
        what = source.messages or f"{source.prompt}:{source.response}"
        if source.hub is not None:
            return f"import:{source.hub.model_dump_json()}:{what}"
        return f"import:{files_digest(Path(file) for file in source.files or ())}:{what}"
    return weights_of(str(teacher.model), teacher.revision, engine=str(teacher.engine))


def identity_of(teacher: Teacher, weights: str) -> str:
    """Who answers and how, as the ledger knows it."""
    sampling = teacher.sampling.model_dump() if teacher.sampling else {}
    return identity(weights=weights, system=teacher.system, sampling=sampling)


def _engine(teacher: Teacher) -> Engine:
    if teacher.imported is not None:
        return partial(_import, teacher)
    return partial(_complete, teacher)


def _import(teacher: Teacher, module: ModuleType, missing: Sequence[Request]) -> Iterator[Batch]:
    yield from module.complete(missing, source=teacher.imported)


def _complete(teacher: Teacher, module: ModuleType, missing: Sequence[Request]) -> Iterator[Batch]:
    print(f"starting {teacher.engine} with {teacher.model}", file=sys.stderr, flush=True)
    yield from module.complete(
        missing,
        model=teacher.model,
        revision=teacher.revision,
        sampling=teacher.sampling,
        system=teacher.system,
    )
