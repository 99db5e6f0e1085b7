"""What an n-gram is made of: words as decontamination cuts them, words between blanks, or a model's tokens.

Two texts hold the same run of units where `cut` gives the same hashes. Those of blank-separated words differ
from run to run of Python, but not between a process and its forks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from sourcewise import pretrained
from sourcewise.corpus.tokens import Hashes, Indices, hashed, mixed, words

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class Cut(NamedTuple):
    """The units of texts in order: the hash of each, and the number of its text."""

    hashes: Hashes
    texts: Indices


class Unit(NamedTuple):
    """`cut` takes texts apart; `shown` has the units of a text from one to another, to be read."""

    cut: Callable[[Sequence[str]], Cut]
    shown: Callable[[str, int, int], str]


def unit(name: str, tokenizer: str | None, revision: str | None) -> Unit:
    """The unit `words`, `whitespace` or `tokens`; the last needs a model's name, and the package tokenizers.

    Raises ValueError where the model is not there.
    """
    if name == "words":
        return Unit(_words, lambda text, a, b: " ".join(words(text)[a:b]))
    if name == "whitespace":
        return Unit(_blanks, lambda text, a, b: " ".join(text.split()[a:b]))
    found = _tokenizer(str(tokenizer), str(revision))
    return Unit(
        lambda texts: _tokens(found, texts),
        lambda text, a, b: found.decode(_ids(found, [text])[0][a:b], skip_special_tokens=False),
    )


def _words(texts: Sequence[str]) -> Cut:
    return Cut(*hashed(texts))


def _blanks(texts: Sequence[str]) -> Cut:
    return _cut([list(map(hash, text.split())) for text in texts], np.int64)


def _tokens(tokenizer: Tokenizer, texts: Sequence[str]) -> Cut:
    return _cut(_ids(tokenizer, texts), np.int64)


def _ids(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    return [one.ids for one in tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def _cut(units: Sequence[Sequence[int]], kind: npt.DTypeLike) -> Cut:
    lengths = [len(one) for one in units]
    numbers = np.fromiter(chain.from_iterable(units), kind, sum(lengths))
    return Cut(mixed(numbers.astype(np.uint64)), np.repeat(np.arange(len(units)), lengths))


def _tokenizer(model: str, revision: str) -> Tokenizer:
    from tokenizers import Tokenizer

    found = Tokenizer.from_file(str(pretrained.tokenizer_file("tokenizer", model, revision)))
    found.no_truncation()
    found.no_padding()
    return found
