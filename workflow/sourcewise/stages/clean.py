"""Stage clean: a shard of distinct, complete queries whose references can be graded.

Reads the collected Query tables of the sources that share the shard and the Kept tables of the sources
before them; writes a Query, a Kept and a Reject table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from sourcewise import tables
from sourcewise.corpus import cleaning
from sourcewise.drop import Drop
from sourcewise.gradable.categories import References
from sourcewise.params.queries import Clean
from sourcewise.progress import Progress
from sourcewise.tables import Kept, Query, Reject, TableWriter
from sourcewise.text import shard_ids

Ids = tuple[str, str]


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
    depend on the data. In memory are the digests of the shard's queries. `judged` says that a judge reads
    references of mathematics that algebra cannot. Raises ValueError where nothing of all these sources
    would stay.
    """
    tables.spare_pandas()
    ids = shard_ids(number, shards)
    first = _met_before(collected, before, ids)
    n, reasons = 0, Counter[str]()
    with (
        References(judged=judged) as references,
        TableWriter(out, Query) as table,
        TableWriter(kept, Kept) as identities,
        TableWriter(rejects, Reject) as refused,
    ):
        for batch in _own(collected, ids):
            dropped = _unfit(batch, clean, references)
            identity, source = (batch[name].to_pylist() for name in ("query_id", "source"))
            for place, one in enumerate(map(bytes.fromhex, identity)):
                if one in first:
                    dropped[place] = Drop("duplicate", f"first in {first[one]}")
                elif place not in dropped:
                    first[one] = source[place]
            stays = [place not in dropped for place in range(len(batch))]
            part = batch.filter(pa.array(stays, pa.bool_()))
            table.extend(part)
            identities.extend(part.select(["query_id", "source"]))
            n += len(part)
            for place, drop in sorted(dropped.items()):
                reasons[drop.reason] += 1
                refused.add(
                    Reject(identity[place], source[place], "clean", drop.reason, drop.value)
                )
        if n == 0:
            _require_one(collected, clean, references)
    print(f"clean {out.stem}: {n:,} of {n + reasons.total():,} queries stay; {dict(reasons)}")


def _met_before(
    collected: tuple[Path, ...], before: tuple[Path, ...], ids: Ids
) -> dict[bytes, str]:
    """Of the shard's queries those that a source before kept, with that source."""
    own = pa.chunked_array(
        [
            chunk
            for path in collected
            for batch in tables.batches(path, Query, ids=ids, columns=["query_id"])
            for chunk in batch["query_id"].chunks
        ],
        pa.string(),
    )
    met: dict[bytes, str] = {}
    for path in before:
        kept = tables.load(path, Kept, ids=ids)
        copies = kept.filter(pc.is_in(kept["query_id"], value_set=own))
        identity, source = (copies[name].to_pylist() for name in ("query_id", "source"))
        met.update(zip(map(bytes.fromhex, identity), source, strict=True))
    return met


def _own(collected: tuple[Path, ...], ids: Ids) -> Iterator[pa.Table]:
    """The queries of a shard in the order of the sources."""
    total = sum(tables.count(path, Query, ids=ids) for path in collected)
    progress = Progress("clean", total, "queries")
    for path in collected:
        for batch in tables.batches(path, Query, ids=ids):
            yield batch
            progress.advance(len(batch))
    progress.finish()


def _unfit(batch: pa.Table, clean: Clean, references: References) -> dict[int, Drop]:
    """The reasons to drop queries, by their places."""
    found = cleaning.drops(tables.user_texts(batch["messages"]), clean)
    if clean.drop_bad_references:
        fit = [place for place in range(len(batch)) if place not in found]
        asked = batch.select(["category", "reference"]).take(fit).to_pydict()
        problems = references.problems(asked["category"], asked["reference"])
        for place, problem in zip(fit, problems, strict=True):
            if problem:
                found[place] = Drop("bad_reference", problem)
    return found


def _require_one(collected: tuple[Path, ...], clean: Clean, references: References) -> None:
    """A shard may be empty, but not the corpus: raises ValueError where no query is fit to stay."""
    reasons: Counter[str] = Counter()
    for path in collected:
        for batch in tables.batches(path, Query):
            unfit = _unfit(batch, clean, references)
            if len(unfit) < len(batch):
                return
            reasons.update(drop.reason for drop in unfit.values())
    if reasons:
        raise ValueError(
            f"clean keeps none of {reasons.total():,} queries of "
            f"{', '.join(path.stem for path in collected)} ({dict(reasons)}): loosen the section "
            "clean or look at these sources"
        )
