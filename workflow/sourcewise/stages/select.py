"""Stage select: which attempt at which query enters a dataset.

Reads the corpus (Query) and the rounds of the recipe's teachers (Verdict); writes Selected and Reject.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from sourcewise import tables
from sourcewise.params.datasets import Dataset
from sourcewise.progress import Progress
from sourcewise.recipes import manifests
from sourcewise.recipes.drawing import rank
from sourcewise.recipes.manifests import Corpus, Distilled
from sourcewise.recipes.selection import decide
from sourcewise.tables import Query, Reject, Selected, TableWriter, Verdict


def run(
    *,
    dataset: Dataset,
    seed: int,
    queries: Path,
    teachers: tuple[Path, ...],
    out: Path,
    rejects: Path,
) -> None:
    """Takes one attempt at or above the recipe's score for every query and teacher.

    `queries` and `teachers` are manifests. Rows are in the order of query_id, then of the recipe's
    teachers. Raises ValueError where nothing is selected.
    """
    tables.spare_pandas()
    corpus = manifests.corpus(queries)
    distilled = _named(teachers, dataset)
    taken: list[Selected] = []
    sources: dict[str, str] = {}
    reasons: Counter[str] = Counter()
    progress = Progress("select", len(corpus.shards), "shards")
    with TableWriter(rejects, Reject) as refused:

        def reject(query_id: str, source: str, reason: str, value: str) -> None:
            reasons[reason] += 1
            refused.add(Reject(query_id, source, "select", reason, value))

        for shard in corpus.shards:
            attempts = {name: _verdicts(one, shard) for name, one in distilled.items()}
            for query in tables.read(corpus.queries(shard), Query):
                own = {
                    name: verdicts.get(query.query_id, []) for name, verdicts in attempts.items()
                }
                for entry in decide(query.query_id, own, dataset):
                    if isinstance(entry, Selected):
                        taken.append(entry)
                        sources[query.query_id] = query.source
                    else:
                        reject(query.query_id, query.source, entry.reason, entry.value)
            progress.advance()
        kept, left_over = _subset(taken, dataset, seed)
        for entry in left_over:
            limit = f"{entry.teacher}: {dataset.max_examples} are enough"
            reject(entry.query_id, sources[entry.query_id], "max_examples", limit)
        if not kept:
            raise ValueError(_nothing(dataset, corpus, reasons))
        tables.write(out, Selected, kept)
    progress.finish()
    print(f"select: {len(kept):,} attempts; not taken: {dict(reasons)}")


def _named(teachers: tuple[Path, ...], dataset: Dataset) -> dict[str, Distilled]:
    """The manifests by teacher; every teacher that the recipe names must have one."""
    found = {one.teacher: one for one in map(manifests.distilled, teachers)}
    for name in (*dataset.teachers, *dataset.solved_by):
        if name not in found:
            raise ValueError(
                f"no manifest of teacher {name!r} was given; there are {sorted(found)}"
            )
    return found


def _verdicts(teacher: Distilled, shard: str) -> Mapping[str, list[Verdict]]:
    """The verdicts on each query in the order of the attempts."""
    verdicts: defaultdict[str, list[Verdict]] = defaultdict(list)
    if shard in teacher.shards:
        for attempt in range(1, teacher.attempts + 1):
            for verdict in tables.read(teacher.verdicts(attempt, shard), Verdict):
                verdicts[verdict.query_id].append(verdict)
    return verdicts


def _subset(
    taken: list[Selected], dataset: Dataset, seed: int
) -> tuple[list[Selected], list[Selected]]:
    """A random part of at most `max_examples`, and the rest; both in the order of the table."""
    places = {name: place for place, name in enumerate(dataset.teachers)}
    table = sorted(taken, key=lambda row: (row.query_id, places[row.teacher]))
    if dataset.max_examples is None:
        return table, []
    shuffled = sorted(table, key=lambda row: rank(row.query_id, seed, dataset.seed))
    chosen = {(row.query_id, row.teacher) for row in shuffled[: dataset.max_examples]}
    kept = [row for row in table if (row.query_id, row.teacher) in chosen]
    return kept, [row for row in table if (row.query_id, row.teacher) not in chosen]


def _nothing(dataset: Dataset, corpus: Corpus, reasons: Counter[str]) -> str:
    n = sum(tables.count(corpus.queries(shard), Query) for shard in corpus.shards)
    return (
        f"the recipe of {', '.join(dataset.teachers)} at min_score {dataset.min_score} selects "
        f"nothing: corpus {n:,} > selected 0; not taken: {dict(reasons)}; lower min_score, shorten "
        "solved_by or look at the verdicts"
    )
