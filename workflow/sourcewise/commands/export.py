"""`sourcewise export DATASET DIR`: a dataset as a folder in the hub's layout, `datasets.load_dataset(DIR)`.

Reads `data/datasets/DATASET` and the corpus of the working copy; DIR appears when it is complete. With
`--push` it then goes to a data set on the hub, private unless it is there already.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from sourcewise import tables
from sourcewise.commands.environment import UsageError
from sourcewise.commands.exported import (
    Exported,
    dataset_card,
    exported,
    released,
    released_category,
)
from sourcewise.commands.licences import conflicts
from sourcewise.commands.output import Output
from sourcewise.commands.pushing import Target
from sourcewise.recipes import manifests
from sourcewise.tables import Example, Query, TableWriter

ROWS_PER_FILE = 100_000


def main(arguments: Sequence[str]) -> int:
    """Writes the folder; 2 with a message where there is nothing to export or DIR is taken."""
    command = argparse.ArgumentParser(prog="sourcewise export", description=__doc__)
    command.add_argument("dataset", help="a dataset of params.yaml")
    command.add_argument("folder", type=Path, metavar="DIR")
    command.add_argument(
        "--records",
        action="store_true",
        help="also DIR/records/CATEGORY.jsonl, in the format of a-m-team's releases",
    )
    command.add_argument(
        "--push",
        metavar="REPO",
        help="then upload DIR to the data set REPO (owner/name) of the hub; needs a token ($HF_TOKEN)",
    )
    given = command.parse_args(arguments)
    try:
        target = Target.reached(given.push) if given.push else None
        export(given.dataset, given.folder, records=given.records)
        if target:
            print(f"{given.folder}: pushed to {target.push(given.folder)}")
    except (OSError, ValueError) as error:
        print(f"sourcewise export: {error}", file=sys.stderr)
        return 2
    return 0


def export(name: str, folder: Path, *, records: bool) -> None:
    """Writes Parquet files, the card and, if asked for, records; raises UsageError for bad input."""
    source = Path("data/datasets") / name
    if not (source / "examples.parquet").is_file():
        known = sorted(path.parent.name for path in source.parent.glob("*/examples.parquet"))
        raise UsageError(
            f"{source}/examples.parquet does not exist; there are {known}: make dataset@{name} first, "
            "or name another"
        )
    if folder.exists():
        raise UsageError(f"{folder} exists: name a folder that does not, or remove it")
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        sources = _write(source / "examples.parquet", partial, records=records)
        card = json.loads((source / "card.json").read_text(encoding="utf-8"))
        with (source / "examples.parquet").open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        text = dataset_card(name, card, sources, digest)
        (partial / "README.md").write_text(text, encoding="utf-8")
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    print(f"{folder}: {sum(sources.values()):,} examples; datasets.load_dataset({str(folder)!r})")
    for sentence in conflicts({licence for _, licence in sources}):
        print(f"licences: {sentence}", file=sys.stderr)


def _write(path: Path, folder: Path, *, records: bool) -> Counter[tuple[str, str]]:
    """Writes the rows and counts them by source and licence."""
    n_files = -(-tables.count(path, Example) // ROWS_PER_FILE)
    sources: Counter[tuple[str, str]] = Counter()
    with contextlib.ExitStack() as files:
        outputs: dict[str, Output] = {}
        table: TableWriter[Exported]
        for number, (example, query) in enumerate(_joined(path)):
            if number % ROWS_PER_FILE == 0:
                part = f"train-{number // ROWS_PER_FILE:05}-of-{n_files:05}.parquet"
                table = files.enter_context(TableWriter(folder / "data" / part, Exported))
            table.add(exported(example, query))
            sources[query.source, query.licence] += 1
            if records:
                category = released_category(query)
                if category not in outputs:
                    (folder / "records").mkdir(exist_ok=True)
                    name = str(folder / "records" / f"{category}.jsonl")
                    outputs[category] = files.enter_context(Output(name))
                outputs[category].write(released(example, query))
    return sources


def _joined(path: Path) -> Iterator[tuple[Example, Query]]:
    """Each example with its query; both are in the order of the shards, one of which is in memory."""
    corpus = manifests.corpus(Path("data/queries/manifest.json"))
    examples = tables.read(path, Example)
    example = next(examples, None)
    for shard in corpus.shards:
        queries = {one.query_id: one for one in tables.read(corpus.queries(shard), Query)}
        while example is not None and example.query_id in queries:
            yield example, queries[example.query_id]
            example = next(examples, None)
    if example is not None:
        raise ValueError(
            f"{path}: query {example.query_id} is not in the corpus, which has changed since: run again"
        )
