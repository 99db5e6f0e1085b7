"""Stage verify: judges every response by the verifier of its query's category.

Reads Query and Response, writes Verdict, one row per response and in the same order.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sourcewise import tables
from sourcewise.grading import judge, sandbox
from sourcewise.grading.attempts import Attempt, Judged, failed, verdict
from sourcewise.params.distill import Verifiers
from sourcewise.params.judge import Judge
from sourcewise.progress import Progress
from sourcewise.tables import Query, Response, Verdict
from sourcewise.verifiers import code, dialogue, instruction, math, science

VERIFIERS: dict[str, Any] = {
    "math": math,
    "code": code,
    "instruction": instruction,
    "science": science,
    "dialogue": dialogue,
}


def run(
    *, queries: Path, responses: Path, verifiers: Verifiers, out: Path, every_test: bool = False
) -> None:
    """Judges the responses to a shard's queries; `every_test`, as benchmarks do, lifts `code.max_tests`.

    Raises ValueError for a response whose query is missing and for a category without a verifier,
    and sandbox.SandboxUnavailableError where programs cannot be run safely: before anything is judged.
    """
    if every_test and verifiers.code is not None:
        code_tests = verifiers.code.model_copy(update={"max_tests": sys.maxsize})
        verifiers = verifiers.model_copy(update={"code": code_tests})
    asked = {query.query_id: query for query in tables.read(queries, Query)}
    categories = _categories(asked, queries, responses)
    unknown = sorted(set(categories) - set(VERIFIERS))
    if unknown:
        known = ", ".join(VERIFIERS)
        raise ValueError(f"{queries}: no verifier for category {unknown[0]!r}; there are {known}")
    prepare(set(categories), verifiers)
    rows: list[Verdict | None] = [None] * len(categories)
    progress = Progress(f"verify {responses.name}", len(rows), "responses")
    for category in sorted(set(categories)):
        places = [place for place, name in enumerate(categories) if name == category]
        verdicts = judged(_attempts(category, asked, responses), category, verifiers)
        for place, row in zip(places, verdicts, strict=True):
            rows[place] = row
            progress.advance()
    progress.finish()
    finished = [row for row in rows if row is not None]
    tables.write(out, Verdict, finished)
    print(summary(finished, categories), file=sys.stderr)


def _categories(asked: dict[str, Query], queries: Path, responses: Path) -> list[str]:
    """The category of each response, in order."""
    categories = []
    for response in tables.read(responses, Response):
        if response.query_id not in asked:
            raise ValueError(
                f"{responses}: attempt {response.attempt} answers query {response.query_id}, which "
                f"{queries} does not hold: responses and queries are of different runs or shards"
            )
        categories.append(asked[response.query_id].category)
    return categories


def prepare(categories: set[str], verifiers: Verifiers) -> None:
    """Fails or warns now, not after hours of work."""
    if "code" in categories:
        sandbox.probe()
    asking = [name for name in ("science", "dialogue") if name in categories]
    asking = [name for name in asking if isinstance(getattr(verifiers, name), Judge)]
    if asking and judge.address() is None:
        print(f"verify: {' and '.join(asking)}: {judge.UNAVAILABLE}", file=sys.stderr)


def _attempts(category: str, asked: dict[str, Query], responses: Path) -> Iterator[Attempt]:
    for response in tables.read(responses, Response):
        query = asked[response.query_id]
        if query.category == category:
            yield Attempt(
                query_id=query.query_id,
                attempt=response.attempt,
                category=category,
                messages=query.messages,
                reference=query.reference,
                text=response.text,
                finish_reason=response.finish_reason,
            )


def judged(attempts: Iterator[Attempt], category: str, verifiers: Verifiers) -> Iterator[Judged]:
    """The verdicts of one category's verifier; a category set to null has none."""
    knobs: Any = getattr(verifiers, category)
    module = VERIFIERS[category]
    if knobs is not None:
        yield from module.score(attempts, knobs=knobs)
        return
    outcome = failed("unavailable", f"verifiers.{category} is null in params.yaml")
    for attempt in attempts:
        yield verdict(attempt, outcome, verifier=category, version=module.VERSION)


def summary(rows: list[Verdict], categories: list[str]) -> str:
    """One line: how many rows have each status, and the mean score of each category."""
    counts = Counter(row.status for row in rows)
    scores: dict[str, list[float]] = defaultdict(list)
    for row, category in zip(rows, categories, strict=True):
        if row.score is not None:
            scores[category].append(row.score)
    statuses = ", ".join(
        f"{counts[status]:,} {status}" for status in tables.STATUSES if counts[status]
    )
    means = ", ".join(
        f"{name} {sum(part) / len(part):.3f}" for name, part in sorted(scores.items())
    )
    return f"verify: {statuses or 'no responses'}" + (f"; mean score: {means}" if means else "")
