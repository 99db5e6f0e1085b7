"""Counts how verifiers judge labelled answers; runs in the environment that judges.

    python -m sourcewise.commands.counting '{"folder": …, "sets": […], "file": …, …}'

Writes one JSON object a set and verifier to stdout: the count, and the answers on which label and verdict
differ.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from sourcewise.commands import knobs, labelled, rows
from sourcewise.commands.environment import UsageError
from sourcewise.commands.judging import Judging
from sourcewise.commands.rows import Row
from sourcewise.grading.attempts import Judged
from sourcewise.grading.sandbox import SandboxUnavailableError
from sourcewise.stages.verify import VERIFIERS

# Statuses that say nothing of an answer; `report.scores` leaves the same ones out.
UNJUDGED = frozenset({"bad_reference", "judge_error", "unavailable", "infrastructure"})
LISTED, MOST_CHARS = 200, 2000
WRONG_USE = 2


class Order(BaseModel):
    """What to count: sets of a folder, or a file of labelled rows with their category."""

    folder: Path
    sets: list[str]
    file: Path | None
    category: str | None
    params: Path | None
    min_score: float


def main(arguments: list[str]) -> int:
    """Counts what the order, in JSON, asks for; returns the exit status."""
    order = Order.model_validate_json(arguments[0])
    try:
        verifiers = knobs.read(order.params).verifiers
        for name, found in _sets(order):
            for counted in _count(name, Judging(found, verifiers), order.min_score):
                print(json.dumps(counted), flush=True)
    except (UsageError, SandboxUnavailableError) as error:
        print(f"sourcewise audit: {error}", file=sys.stderr)
        return WRONG_USE
    return 0


def _sets(order: Order) -> Iterator[tuple[str, Iterable[Row]]]:
    if order.file is not None:
        yield order.file.name, _own(order.file, order.category)
        return
    for name in order.sets:
        print(f"audit: {name}", file=sys.stderr, flush=True)
        yield name, labelled.read(order.folder, name)


def _own(path: Path, category: str | None) -> Iterator[Row]:
    """Somebody's rows; one that cannot be read or has no label is said and skipped."""
    for row in rows.read(path, category=category, known=list(VERIFIERS)):
        if row.attempt and not isinstance(row.given.get("label"), bool):
            row = row._replace(attempt=None, problem="'label' is neither true nor false")
        if row.attempt is None:
            print(f"audit: line {row.line:,}: {row.problem}", file=sys.stderr)
        yield row


def _count(
    name: str, judged: Iterable[tuple[Row, Judged | None]], min_score: float
) -> Iterator[dict[str, Any]]:
    """One count for each verifier that judged rows of a set."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    differing: dict[tuple[str, str], list[dict[str, Any]]] = {}
    skipped = 0
    for row, verdict in judged:
        if verdict is None or row.attempt is None:
            skipped += 1
            continue
        key = verdict.verifier, verdict.verifier_version
        count, listed = counts.setdefault(key, Counter()), differing.setdefault(key, [])
        if verdict.status in UNJUDGED:
            count["unjudged"] += 1
            continue
        label = row.given["label"]
        accepted = verdict.score is not None and verdict.score >= min_score
        count["right" if label else "wrong"] += 1
        if accepted != label:
            count["false_accepts" if accepted else "false_rejects"] += 1
            if len(listed) < LISTED:
                listed.append(_disagreement(row, verdict, label))
    for key, count in counts.items():
        zeros = {"right": 0, "wrong": 0, "false_accepts": 0, "false_rejects": 0, "unjudged": 0}
        named = {"set": name, "verifier": key[0], "version": key[1], "skipped": skipped}
        yield {"count": named | zeros | count, "differing": differing[key]}


def _disagreement(row: Row, verdict: Judged, label: bool) -> dict[str, Any]:
    assert row.attempt is not None
    return {
        "id": row.given["id"],
        "label": label,
        "status": verdict.status,
        "score": verdict.score,
        "detail": verdict.detail,
        "reference": row.attempt.reference[:MOST_CHARS],
        "response": row.attempt.text[-MOST_CHARS:],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
