"""Stage judge_queries: queries of a shard that a judge finds incomplete, where rules saw nothing amiss.

The paper's "incomplete" is read here as a question that cannot be answered as it stands; the sister work asks a
language model for it (a-m-team's data report, Fig. 6). Reads a clean Query table; writes a Reject table, whose
queries `decontaminate` takes out.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from sourcewise import tables
from sourcewise.grading import judge
from sourcewise.grading.attempts import Outcome, failed
from sourcewise.params.judge import QueryJudge
from sourcewise.progress import Progress
from sourcewise.tables import Query, Reject

TASK = (
    "Rate whether a question can be answered as it stands, however hard, odd or badly spelt it may be. "
    "completeness: 0 where it breaks off or speaks of a text, a table, a figure or a file that is not "
    "there, 4 where nothing is missing. answerability: 0 where it asks nothing or nobody could know what "
    "is meant, 4 where somebody with the knowledge could answer."
)
TOP = 4.0
SCALES = {"completeness": TOP, "answerability": TOP}


def run(*, queries: Path, judged: QueryJudge, rejects: Path) -> None:
    """Rejects the queries whose lower rating of two is below `least`.

    A query that the judge contradicts itself about, or that is longer than `max_answer_chars`, stays. Raises
    RuntimeError where there is no judge: without one nobody would have looked.
    """
    progress = Progress("judge_queries", tables.count(queries, Query), "queries")
    statuses: Counter[str] = Counter()

    def outcome(query: Query, client: Any) -> Outcome:
        text = _text(query)
        if len(text) > judged.max_answer_chars:
            return failed("too_long", f"{len(text)} characters")
        section = judge.Section("question", text)
        question = judge.Question(judged.task or TASK, (section,), SCALES, tolerance=1.0)
        return judge.rate(question, client=client, knobs=judged)

    incomplete = []
    for query, one in judge.each(tables.read(queries, Query), outcome, knobs=judged):
        if one.status in ("unavailable", "infrastructure"):
            raise RuntimeError(f"clean.judge of {queries.stem}: {one.detail}")
        statuses[one.status] += 1
        if one.score is not None and one.score < judged.least:
            incomplete.append(
                Reject(query.query_id, query.source, "judge_queries", "incomplete", one.detail)
            )
        progress.advance()
    progress.finish()
    tables.write(rejects, Reject, incomplete)
    print(f"judge_queries {queries.stem}: {len(incomplete):,} queries go; {dict(statuses)}")


def _text(query: Query) -> str:
    if len(query.messages) == 1:
        return query.messages[0].content
    return "\n\n".join(f"{turn.role}: {turn.content}" for turn in query.messages)
