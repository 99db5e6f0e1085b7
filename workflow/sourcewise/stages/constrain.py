"""Stage constrain: finds constraints for instruction queries that have none, by a language model.

Reads a Query table, such as collect makes of a source without references; writes Query and Reject. Not part
of the job graph: a model's proposals are raw data, made once by hand and then named by a source:

    python -m sourcewise constrain --queries collected.parquet --constrain '{"model": …}' \\
        --out data/raw/constrained.parquet --rejects rejects.parquet

with `columns: {messages: messages, reference: reference, reference_format: json}`.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from sourcewise import tables
from sourcewise.grading import constraints, judge
from sourcewise.grading.constraints import ConstraintError, Constraints
from sourcewise.grading.endpoint import Endpoint, ReplyError, in_order
from sourcewise.params.distill import InstructionVerifier
from sourcewise.params.queries import Constrain
from sourcewise.progress import Progress
from sourcewise.tables import Message, Query, Reject, TableWriter
from sourcewise.text import query_id, query_text
from sourcewise.verifiers import instruction

BATCH = 512
REASON = "invalid_constraints"
Proposed = tuple[Query, Constraints | str | None]


def run(*, queries: Path, constrain: Constrain, out: Path, rejects: Path) -> None:
    """Appends constraints to the last user turn of every instruction query without a reference.

    The sentences are the checkers' own, so that what is asked is what is checked; each proposal is tried
    on a probe. Queries of other categories and with a reference pass as they are, all in order. Raises
    ValueError without an endpoint and SilentError where it gives no replies: then nothing is written.
    """
    client = judge.endpoint(model=constrain.model, seed=constrain.seed, seconds=constrain.seconds)
    if client is None:
        raise ValueError(judge.UNAVAILABLE)
    progress = Progress("constrain", tables.count(queries, Query), "queries")
    reasons: Counter[str] = Counter()
    with client, TableWriter(out, Query) as table, TableWriter(rejects, Reject) as refused:
        proposed = _propose(tables.read(queries, Query), client, constrain)
        for query, found in _tried(proposed):
            if isinstance(found, str):
                reasons[REASON] += 1
                refused.add(Reject(query.query_id, query.source, "constrain", REASON, found))
            else:
                table.add(_constrained(query, found) if found else query)
            progress.advance()
    progress.finish()
    print(f"constrain {out.stem}: {dict(reasons) or 'no'} rejects")


def _lacks_constraints(query: Query) -> bool:
    return query.category == "instruction" and query.reference in ("", "{}")


def _propose(queries: Iterable[Query], client: Endpoint, knobs: Constrain) -> Iterator[Proposed]:
    """Queries with their constraints, or what is wrong with these; None where none are due."""
    most, form = knobs.constraints, constraints.schema(knobs.constraints)

    def ask(query: Query) -> Constraints | str | None:
        if not _lacks_constraints(query):
            return None
        asked = constraints.prompt(query_text(query.messages), most=most)
        try:
            reply = client.ask(asked, schema=form, max_tokens=constraints.MAX_REPLY_TOKENS)
            return constraints.read(reply, most=most)
        except (ReplyError, ConstraintError) as error:
            return str(error)

    return in_order(queries, ask, client)


def _tried(proposed: Iterator[Proposed]) -> Iterator[Proposed]:
    """Refuses constraints whose checkers fail or never end."""
    knobs = InstructionVerifier(mode="strict")
    while batch := list(itertools.islice(proposed, BATCH)):
        due = [found.reference for _, found in batch if isinstance(found, Constraints)]
        problems = instruction.problems(due, knobs=knobs)
        for query, found in batch:
            yield query, next(problems) or found if isinstance(found, Constraints) else found


def _constrained(query: Query, found: Constraints) -> Query:
    turns = list(query.messages)
    last = max(place for place, turn in enumerate(turns) if turn.role == "user")
    turns[last] = Message("user", f"{turns[last].content.rstrip()}\n\n{found.text}")
    identity = query_id(turns)
    return Query(identity, query.source, query.category, turns, found.reference, query.licence)
