"""Packing: whole examples share rows of `max_length` tokens; position ids keep them apart (paper §7)."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sourcewise.training.rows import IGNORED

if TYPE_CHECKING:
    from datasets import Dataset

FILLER = {"input_ids": 0, "labels": IGNORED}


def best_fit(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Places of `lengths` in bins of `capacity`, the longest first, each where it leaves the least space.

    Best-fit decreasing; raises ValueError at a length that no bin holds.
    """
    bins: list[list[int]] = []
    with_space: dict[int, list[int]] = {}  # bins by the space that they have left
    spaces: list[int] = []  # its keys, sorted
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        length = lengths[index]
        if not 0 < length <= capacity:
            raise ValueError(f"length {length} of row {index} is not between 1 and {capacity}")
        place = bisect_left(spaces, length)
        if place == len(spaces):
            number, space = len(bins), capacity
            bins.append([])
        else:
            space = spaces[place]
            number = with_space[space].pop()
            if not with_space[space]:
                del with_space[space], spaces[place]
        bins[number].append(index)
        left = space - length
        if left and left not in with_space:
            with_space[left] = []
            insort(spaces, left)
        if left:
            with_space[left].append(number)
    return bins


def training_rows(path: Path, *, max_length: int, packing: bool, multiple_of: int) -> Dataset:
    """The rows that training draws: `input_ids`, `labels`, and the lengths and places of their examples,
    `seq_lengths` and `members`.

    Without packing a row is one example. Rows are put together when they are drawn, from the Arrow stream on
    the disk, so that packing copies no token and sees all examples at once; TRL packs them by thousands.
    Rows of one ignored token fill up to `multiple_of`: else each process would draw some rows of an epoch
    twice until all have as many, and the number of processes would change the training.
    """
    import numpy as np
    import pyarrow.compute as pc
    from datasets import Dataset

    examples = Dataset.from_file(str(path))
    lengths = pc.list_value_length(examples.data.column("input_ids")).to_pylist()
    members = best_fit(lengths, max_length) if packing else [[n] for n in range(len(lengths))]
    members += [[] for _ in range(-len(members) % multiple_of)]
    tokens = examples.select_columns(["input_ids", "labels"]).with_format("numpy")
    filler = {name: np.full(1, value, np.int64) for name, value in FILLER.items()}

    def put_together(batch: dict[str, list[list[int]]]) -> dict[str, list[Any]]:
        rows: dict[str, list[Any]] = {"input_ids": [], "labels": [], "seq_lengths": []}
        rows["members"] = batch["members"]
        for numbers in batch["members"]:
            own = [tokens[number] for number in numbers] or [filler]
            for name in ("input_ids", "labels"):
                rows[name].append(np.concatenate([one[name] for one in own]).astype(np.int64))
            rows["seq_lengths"].append([len(one["input_ids"]) for one in own])
        return rows

    return Dataset.from_dict({"members": members}).with_transform(put_together)


def names(path: Path, places: Sequence[int]) -> list[str]:
    """Which examples lie at these places of the Arrow stream."""
    from datasets import Dataset

    return list(Dataset.from_file(str(path)).select(places)["example"])


def n_filled(drawn: Dataset) -> int:
    """How many of the rows hold an example."""
    return sum(map(bool, drawn.with_format(None)["members"]))
