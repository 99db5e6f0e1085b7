"""n-grams of a model's tokens: the tokenizer decides what is the same, and is all that is needed of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_qwen

from sourcewise.filters import ngram
from sourcewise.params.datasets import NgramFilter
from sourcewise.recipes.candidates import Candidate
from sourcewise.tables import Message, Query, Response


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny_qwen.build(tmp_path_factory.mktemp("units") / "model")
    (folder / "model.safetensors").unlink()
    return folder


def dropped(tokenizer: Path, n: int, *texts: str) -> list[str | None]:
    """What the filter says of each text, where no n-gram may be there twice."""
    spec = NgramFilter(
        filter="ngram", n=n, max_count=1, unit="tokens", tokenizer=str(tokenizer), revision="-"
    )
    query = Query("q", "source", "math", [Message("user", "?")], "", "MIT")
    candidates = [
        Candidate(query, Response("q", k, "t", text, "stop", 1, 1, 0, "vllm", "main"), 1.0, {})
        for k, text in enumerate(texts, 1)
    ]
    check = ngram.prepare(spec, lambda: iter(candidates), ())
    drops = map(check, candidates)
    return [None if drop is None else drop.value for drop in drops]


def test_an_ngram_is_of_a_tokenizers_tokens(tokenizer: Path) -> None:
    # A token is a byte here: case and blanks count, and two bytes are no word.
    assert dropped(tokenizer, 3, "abcd", "xbcd", "ABCD") == ["2 x bcd", "2 x bcd", None]
    assert dropped(tokenizer, 3, "a b", "a  b") == [None, None]
    # Two bytes are one character in another text.
    assert dropped(tokenizer, 2, "\u00e9", "x\u00e9") == ["2 x \u00e9", "2 x \u00e9"]


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"tokenizer: .* has no tokenizer\.json"):
        dropped(tmp_path, 2, "a")
