"""Stage clean: a shard of distinct, complete queries whose references can be graded.

Reads the collected Query tables of the sources that share the shard and the Kept tables of the sources
before them; writes a Query, a Kept and a Reject table.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from sourcewise import tables
from sourcewise.corpus import cleaning
from sourcewise.drop import Drop
from sourcewise.gradable.categories import References
from sourcewise.params.queries import Clean
from sourcewise.progress import Progress
from sourcewise.tables import Kept, Query, Reject, TableWriter
from sourcewise.text import shard_ids

BATCH = 512


def run(
    *,
    collected: tuple[Path, ...],
    before: tuple[Path, ...],
    number: int,
    shards: int,
    clean: Clean,
    judged: bool,
    out: Path,
    kept: Path,
    rejects: Path,
) -> None:
    """Keeps the first of equal queries over all sources; drops what `cleaning` finds and what cannot be graded.

    Two queries are equal when their normalised turns are (`text.query_id`); a copy in a better layout
    of a query that was dropped may still stay. Of the sources' queries only those count whose digest
    lies in the shard's range; a table without rows is written too, so that the job graph does not
    depend on the data. In memory are the digests of the queries kept. `judged` says that a judge reads
    references of mathematics that algebra cannot. Raises ValueError where nothing of all these sources
    would stay.
    """
    first = {
        bytes.fromhex(one.query_id): one.source
        for path in before
        for one in tables.read(path, Kept, ids=shard_ids(number, shards))
    }
    n, reasons = 0, Counter[str]()
    with (
        TableWriter(out, Query) as table,
        TableWriter(kept, Kept) as identities,
        TableWriter(rejects, Reject) as refused,
    ):
        for query, unfit in _looked_at(_own(collected, number, shards), clean, judged):
            dropped = _duplicate(query, first) or unfit
            if dropped is None:
                n += 1
                first[bytes.fromhex(query.query_id)] = query.source
                identities.add(Kept(query.query_id, query.source))
                table.add(query)
                continue
            reasons[dropped.reason] += 1
            refused.add(
                Reject(query.query_id, query.source, "clean", dropped.reason, dropped.value)
            )
        if n == 0:
            _require_one(collected, clean, judged)
    print(f"clean {out.stem}: {n:,} of {n + reasons.total():,} queries stay; {dict(reasons)}")


def _own(collected: tuple[Path, ...], number: int, shards: int) -> Iterator[Query]:
    """The queries of a shard in the order of the sources."""
    ids = shard_ids(number, shards)
    total = sum(tables.count(path, Query, ids=ids) for path in collected)
    progress = Progress("clean", total, "queries")
    for path in collected:
        for query in tables.read(path, Query, ids=ids):
            yield query
            progress.advance()
    progress.finish()


def _looked_at(
    queries: Iterable[Query], clean: Clean, judged: bool
) -> Iterator[tuple[Query, Drop | None]]:
    """Each query with the reason to drop it, None where it is fit; a batch at a time."""
    stream = iter(queries)
    with References(judged=judged) as references:
        while batch := list(itertools.islice(stream, BATCH)):
            unfit = [cleaning.drop(query, clean) for query in batch]
            fit = [n for n, dropped in enumerate(unfit) if dropped is None]
            if clean.drop_bad_references:
                problems = references.problems([batch[n] for n in fit])
                for n, problem in zip(fit, problems, strict=True):
                    unfit[n] = Drop("bad_reference", problem) if problem else None
            yield from zip(batch, unfit, strict=True)


def _duplicate(query: Query, first: dict[bytes, str]) -> Drop | None:
    source = first.get(bytes.fromhex(query.query_id))
    return Drop("duplicate", f"first in {source}") if source is not None else None


def _require_one(collected: tuple[Path, ...], clean: Clean, judged: bool) -> None:
    """A shard may be empty, but not the corpus: raises ValueError where no query is fit to stay."""
    reasons: Counter[str] = Counter()
    every = (query for path in collected for query in tables.read(path, Query))
    for _, unfit in _looked_at(every, clean, judged):
        if unfit is None:
            return
        reasons[unfit.reason] += 1
    if reasons:
        raise ValueError(
            f"clean keeps none of {reasons.total():,} queries of "
            f"{', '.join(path.stem for path in collected)} ({dict(reasons)}): loosen the section "
            "clean or look at these sources"
        )
