"""What the tables of earlier runs tell about the next: who is open, acceptance, lengths."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sourcewise.params.queries import Origin


@functools.lru_cache(maxsize=64)
def column(path: str, *names: str) -> dict[str, list[Any]]:
    """Columns of a Parquet table; the texts beside them, most of its bytes, are not read.

    Raises ValueError where the table is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found: dict[str, list[Any]] = pq.read_table(path, columns=list(names)).to_pydict()
    except pa.ArrowException as error:
        raise ValueError(f"{path} is damaged ({error}): delete it and run again") from None
    return found


def categories(queries: str) -> dict[str, str]:
    """The category of each query of a table, in its order."""
    table = column(queries, "query_id", "category")
    return dict(zip(table["query_id"], table["category"], strict=True))


def scores(verdicts: str) -> dict[str, float | None]:
    """The score of each query of a round's verdicts."""
    table = column(verdicts, "query_id", "score")
    return dict(zip(table["query_id"], table["score"], strict=True))


def too_long(verdicts: str) -> set[str]:
    """The queries of a round whose prompt did not fit: they are not asked again."""
    table = column(verdicts, "query_id", "status")
    pairs = zip(table["query_id"], table["status"], strict=True)
    return {query for query, status in pairs if status == "prompt_too_long"}


def selectable(verdicts: Iterable[str]) -> int:
    """How many attempts some threshold could select: the first, and each that scores above all before."""
    best: dict[str, float] = {}
    n = 0
    for place, path in enumerate(verdicts):
        for query, score in scores(path).items():
            record = score is not None and score > best.get(query, -1.0)
            if record and score is not None:
                best[query] = score
            n += record or place == 0
    return n


@functools.cache
def acceptance(teacher: str, attempt: int, stop_score: float) -> float | None:
    """The share of verdicts that reach `stop_score`, None where nothing was ever judged.

    Of this round of the teacher where there are any; else of its other rounds, of this round of all
    teachers, of all.
    """
    rounds = (f"{teacher}/round-{attempt}", f"{teacher}/round-*", f"*/round-{attempt}", "*/round-*")
    for pattern in rounds:
        paths = sorted(Path("data/distill").glob(f"{pattern}/*.verdicts.parquet"))
        found = [score for path in paths for score in column(str(path), "score")["score"]]
        if found:
            return sum(score is not None and score >= stop_score for score in found) / len(found)
    return None


def mean_tokens(*patterns: str) -> float | None:
    """The mean length of responses, of the first pattern of tables that holds any."""
    for pattern in patterns:
        paths = sorted(map(str, Path("data").glob(pattern)))
        lengths = [n for path in paths for n in column(path, "n_tokens")["n_tokens"]]
        if lengths:
            return sum(lengths) / len(lengths)
    return None


def size(origin: Origin) -> int | None:
    """The most queries an origin can give; None where only reading it tells."""
    if origin.synthetic is not None:
        return min(origin.synthetic.n, origin.limit or origin.synthetic.n)
    return origin.limit
