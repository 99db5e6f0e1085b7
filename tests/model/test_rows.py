"""Rows of tokens: what carries loss, what is left out, what is refused, and how rows are packed."""

from __future__ import annotations

import itertools
from pathlib import Path

import pyarrow as pa
import pytest
from small_training import EXAMPLES, example, written
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from sourcewise.progress import Progress
from sourcewise.training import rows
from sourcewise.training.packing import n_filled, training_rows


def test_only_the_final_response_and_its_end_of_turn_carry_loss(base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    [row] = rows.rows(tokenizer, [EXAMPLES[-1]], system=None)
    learnt = [label for label in row.labels if label != rows.IGNORED]
    assert tokenizer.decode(learnt) == "<think>y</think>two<|im_end|>"
    assert row.labels[-len(learnt) :] == learnt
    assert "one" in tokenizer.decode(row.input_ids[: -len(learnt)])


def test_an_example_that_does_not_end_with_the_assistant_is_an_error(base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    with pytest.raises(ValueError, match="00a does not end with an assistant turn"):
        list(rows.rows(tokenizer, [example(10, "q?", "a", "q2?")], system=None))


def test_a_tokenizer_that_cannot_write_a_tag_is_refused_where_an_example_has_it() -> None:
    words = {"[UNK]": 0, "think": 1, "one": 2, "<|end|>": 3}
    pieces = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    pieces.pre_tokenizer = Whitespace()
    template = "{% for m in messages %}{{ m.content }} <|end|>{% endfor %}"
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces, unk_token="[UNK]", eos_token="<|end|>", chat_template=template
    )
    assert list(rows.rows(tokenizer, [example(1, "one", "one")], system=None))
    with pytest.raises(
        ValueError, match=r"cannot write '</think>', it makes .*choose a train.base"
    ):
        list(rows.rows(tokenizer, [example(1, "one", "<think>one</think>")], system=None))


def test_examples_over_the_row_length_are_left_out_and_none_is_cut(tmp_path: Path) -> None:
    stream = [
        rows.Row(list(range(n)), [rows.IGNORED] * (n - 1) + [7], f"row {n}") for n in (5, 9, 8, 30)
    ]
    progress = Progress("rows", 4, "examples")
    counts = rows.write(tmp_path / "rows.arrow", stream, max_length=8, progress=progress)
    kept = pa.ipc.open_stream(tmp_path / "rows.arrow").read_all()
    assert [len(ids) for ids in kept["input_ids"]] == [5, 8]
    assert (counts.examples, counts.excluded, counts.trained) == (4, 2, 2)
    assert (counts.tokens, counts.response_tokens) == (13, 2)


def test_training_draws_every_example_once_packed_or_not(base: Path, tmp_path: Path) -> None:
    path, made = written(tmp_path, base, EXAMPLES)
    for packing in (True, False):
        drawn = training_rows(path, max_length=128, packing=packing, multiple_of=8)
        found = []
        assert len(drawn) in (8, 16)
        for row in drawn:
            ends = list(itertools.accumulate(row["seq_lengths"], initial=0))
            if set(row["labels"]) == {rows.IGNORED}:
                assert ends[-1] == 1
                continue
            for start, end in itertools.pairwise(ends):
                found.append((list(row["input_ids"][start:end]), list(row["labels"][start:end])))
        assert sorted(found) == sorted((row.input_ids, row.labels) for row in made)
        assert (n_filled(drawn) < len(made)) == packing
        assert len(drawn[0]["input_ids"]) == len(drawn[[0]]["input_ids"][0]) <= 128
