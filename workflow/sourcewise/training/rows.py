"""Examples as token rows: the loss falls on the final response only, and nothing is ever cut."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
from pydantic import BaseModel

from sourcewise.chat import exchanges
from sourcewise.progress import Progress
from sourcewise.tables import Example
from sourcewise.text import ANSWER_CLOSE, ANSWER_OPEN, THINK_CLOSE, THINK_OPEN

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100  # the label that torch's cross-entropy leaves out
BATCH = 1000
SCHEMA = pa.schema(
    [
        ("input_ids", pa.large_list(pa.int32())),
        ("labels", pa.large_list(pa.int32())),
        ("example", pa.string()),
    ]
)


class Counts(BaseModel):
    """What became of the examples; `excluded` were longer than the row length (paper §7)."""

    examples: int = 0
    excluded: int = 0
    trained: int = 0
    tokens: int = 0
    response_tokens: int = 0


class Row(NamedTuple):
    """Tokens, the same with everything before the final response ignored, and whose they are."""

    input_ids: list[int]
    labels: list[int]
    example: str


def rows(
    tokenizer: PreTrainedTokenizerBase, examples: Iterable[Example], *, system: str | None
) -> Iterator[Row]:
    """Tokenises examples in their order.

    Raises ValueError at an example that does not end with the assistant, and at a tag that the tokenizer
    cannot write.
    """
    stream = iter(examples)
    unseen = {THINK_OPEN, THINK_CLOSE, ANSWER_OPEN, ANSWER_CLOSE}
    while batch := list(itertools.islice(stream, BATCH)):
        for example in batch:
            if not example.messages or example.messages[-1].role != "assistant":
                raise ValueError(f"example {example.query_id} does not end with an assistant turn")
        for tag in sorted(unseen):
            if any(tag in example.messages[-1].content for example in batch):
                check_spelling(tokenizer, tag)
                unseen.remove(tag)
        cut = exchanges(tokenizer, [e.messages for e in batch], system=system)
        for example, (prompt, response) in zip(batch, cut, strict=True):
            name = f"query {example.query_id}, {example.teacher}, attempt {example.attempt}"
            yield Row(prompt + response, [IGNORED] * len(prompt) + response, name)


def check_spelling(tokenizer: PreTrainedTokenizerBase, tag: str) -> None:
    """Raises ValueError where a tag does not survive the tokenizer: no student could learn to write it."""
    read = tokenizer.decode(tokenizer(tag, add_special_tokens=False)["input_ids"])
    if tag not in "".join(read.split()):
        raise ValueError(
            f"the tokenizer of {tokenizer.name_or_path} cannot write {tag!r}, it makes {read!r} of it: choose "
            "a train.base whose tokenizer can, or add the tag to its vocabulary"
        )


def write(path: Path, stream: Iterable[Row], *, max_length: int, progress: Progress) -> Counts:
    """Writes the rows of at most `max_length` tokens as an Arrow stream and counts them all."""
    counts = Counts()
    partial = path.with_name(f".{path.name}.partial")
    with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_stream(sink, SCHEMA) as writer:
        whole = iter(stream)
        while batch := list(itertools.islice(whole, BATCH)):
            kept = [row for row in batch if len(row.input_ids) <= max_length]
            counts.examples += len(batch)
            counts.excluded += len(batch) - len(kept)
            counts.trained += len(kept)
            counts.tokens += sum(len(row.input_ids) for row in kept)
            counts.response_tokens += sum(label != IGNORED for row in kept for label in row.labels)
            writer.write_batch(
                pa.record_batch([list(c) for c in zip(*kept, strict=True)] or [[], [], []], SCHEMA)
            )
            progress.advance(len(batch))
    partial.replace(path)
    return counts
