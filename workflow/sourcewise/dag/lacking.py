"""Whether a job has anything to ask, and whether that takes a GPU: a round that the ledger answers takes none.

Called by the expressions of a cluster's profile, for each job when its inputs are there.
"""

from __future__ import annotations

import contextlib
import functools
import io
from pathlib import Path
from typing import Any

from sourcewise.ledger import SUFFIX, Ledger, attempt_key, attempt_seed
from sourcewise.params.root import load
from sourcewise.stages.generate import identity_of, open_queries, weights_of_teacher

# Times of the files that decide, by path: the answer holds as long as they do.
Stamps = tuple[tuple[str, int], ...]


def needs_gpu(wildcards: Any, input: Any) -> bool:  # noqa: A002
    """Whether a job of the rule `generate` asks a model that it runs itself; else as `asks`."""
    teacher = load(Path("params.yaml")).teachers[wildcards.teacher]
    return teacher.engine != "server" and asks(wildcards, input)


def asks(wildcards: Any, input: Any) -> bool:  # noqa: A002
    """Whether a job of the rule `generate` lacks an answer: a query is open and not in the ledger.

    `wildcards` and `input` are Snakemake's. Raises FileNotFoundError where an input is still to be made,
    which Snakemake takes for "not known yet". Before a run it also looks where inputs of different runs lie
    side by side: there the answer is yes, and it is asked again when they are made anew.
    """
    for file in input:
        Path(file).stat()
    verdicts = (
        [str(input.verdicts)] if isinstance(input.verdicts, str) else map(str, input.verdicts)
    )
    queries, judged = str(input.queries), tuple(verdicts)
    ledger = Path("data/distill", wildcards.teacher, "ledger")
    files = ["params.yaml", queries, *judged, *map(str, ledger.glob(f"*{SUFFIX}"))]
    stamps = tuple((file, Path(file).stat().st_mtime_ns) for file in files)
    try:
        return _asks(wildcards.teacher, int(wildcards.attempt), queries, judged, ledger, stamps)
    except ValueError:
        return True


@functools.lru_cache(maxsize=64)
def _asks(
    name: str, attempt: int, queries: str, verdicts: tuple[str, ...], ledger: Path, _: Stamps
) -> bool:
    params = load(Path("params.yaml"))
    teacher = params.teachers[name]
    if teacher.imported is not None:
        return False
    stop_score = params.distill.stop_score if attempt > 1 else None
    futility = params.distill.futility if attempt > 1 else None
    # What it says is for the log of the job itself.
    with contextlib.redirect_stderr(io.StringIO()):
        still_open = open_queries(
            Path(queries), tuple(map(Path, verdicts)), attempt, stop_score, futility
        )
    if not still_open:
        return False
    identity = identity_of(teacher, weights_of_teacher(teacher))
    keys = set()
    for query in still_open:
        seed = attempt_seed(params.seed, query.query_id, attempt)
        keys.add(attempt_key(identity, query.query_id, attempt, seed))
    return len(Ledger(ledger).get(keys)) < len(keys)
