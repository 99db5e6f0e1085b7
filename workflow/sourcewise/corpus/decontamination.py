"""Benchmark items in the corpus, found by their words and numbers.

paper §2.1 step 3 names exact matches; shared runs of words and changed numbers are ours. What counts as a
word, and which spellings are alike, says `tokens`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sourcewise import tables
from sourcewise.corpus.tokens import Hashes, Indices, Tokens, numbers
from sourcewise.corpus.windows import Index, Windows, windows
from sourcewise.params.overlap import MIN_RUN, Overlap
from sourcewise.tables import Query
from sourcewise.text import query_text, units

_TOKEN_BYTES = 8
# A run of words in more items than this is a phrase of the trade. Benchmarks overlap (HumanEval, HumanEval+
# and its C++ form), so the same item may stand in a few of them.
PHRASE = 4
_DRAWING = re.compile(
    r"\[asy\].*?\[/asy\]|\\begin\{(tikzpicture|asy)\}.*?\\end\{\1\}|<svg\b.*?</svg>", re.DOTALL
)
# Words: shorter questions are told apart by their drawings alone.
DRAWN = 25


class Match(NamedTuple):
    """The benchmark item that a query copies, and how close it is (1 where it is the same words)."""

    item: Query
    score: float


def read_items(benchmarks: Iterable[Path]) -> list[Query]:
    """The items of benchmarks' Query tables.

    Raises ValueError where one has none: silence would mean that nothing copies it.
    """
    found: list[Query] = []
    for path in benchmarks:
        own = list(tables.read(path, Query))
        if not own:
            raise ValueError(
                f"{path} holds no items to look for: correct the benchmark's 'queries' or remove it"
            )
        found += own
    return found


def sought_texts(items: Sequence[Query]) -> tuple[list[Query], list[str]]:
    """The items and their texts; an item with a drawing in code a second time, without it.

    Copies often lack the drawing, and its code can be longer than the question: 9 of AIME's 60 items
    have one, 42 of MATH-500's.
    """
    every = [(item, query_text(item.messages)) for item in items]
    bare = [(item, _DRAWING.sub(" ", text)) for item, text in every if _DRAWING.search(text)]
    every += [(item, text) for item, text in bare if len(text.split()) >= DRAWN]
    return [item for item, _ in every], [text for _, text in every]


class ExactLayer:
    """Finds items whose words and numbers stand in a query, contiguous and in order.

    An item of fewer than `MIN_RUN` of them must be the whole query, with the same signs: "What is 2 + 2?"
    inside a longer text proves nothing. `sought` are the items' tokens.
    """

    def __init__(self, items: Sequence[Query], sought: Tokens) -> None:
        self._items = items
        self._sought = [sought.of(number).tobytes() for number in range(len(items))]
        runs = windows(sought.hashes, sought.texts, MIN_RUN)
        first = np.flatnonzero(np.diff(runs.texts, prepend=-1))
        self._starts = runs.only(first)
        self._index = Index(self._starts, MIN_RUN)
        self._short: dict[tuple[str, ...], int] = {}
        for number in np.flatnonzero(np.diff(sought.ends) < MIN_RUN).tolist():
            self._short.setdefault(_signs(query_text(items[number].messages)), number)

    def find(self, texts: Sequence[str], given: Tokens) -> dict[int, Match]:
        """The first item that a text equals or contains, by the text's place; `given` are their tokens."""
        found: dict[int, int] = {}
        for text in np.flatnonzero(np.diff(given.ends) < MIN_RUN).tolist():
            if (number := self._short.get(_signs(texts[text]))) is not None:
                found[text] = number
        for text, number in self.contained(given):
            found.setdefault(text, number)
        return {text: Match(self._items[number], 1.0) for text, number in found.items()}

    def contained(self, given: Tokens) -> Iterator[tuple[int, int]]:
        """Every text that holds an item of at least `MIN_RUN` words, by their places, in order."""
        runs, sought = self._index.meetings(given.hashes, given.texts)
        for text, number, _ in _grouped(runs.texts, self._starts.texts[sought]):
            if _contains(given.of(text).tobytes(), self._sought[number]):
                yield text, number


def _signs(text: str) -> tuple[str, ...]:
    return tuple(units(text.casefold()))


def _contains(words: bytes, sought: bytes) -> bool:
    """Whether whole tokens of `words` are `sought`."""
    place = words.find(sought)
    while place % _TOKEN_BYTES and place >= 0:
        place = words.find(sought, place + 1)
    return place >= 0


class OverlapLayer:
    """Finds items of whose words, or of the query's, enough lie in runs of n words that both have.

    With `masked` all numbers are alike: the same problem with other numbers is found. Then runs that are
    mostly numbers do not count, and an item of fewer than n words, at least `MIN_RUN` of them no
    numbers, must be the whole query. `sought` are the items' tokens.
    """

    def __init__(
        self, items: Sequence[Query], sought: Tokens, overlap: Overlap, *, masked: bool
    ) -> None:
        self._items, self._sought = items, sought
        self._overlap, self._masked = overlap, masked
        self._runs = _without_phrases(self._windows(sought), items)
        self._distinct = _distinct(self._runs)
        self._index = Index(self._distinct, overlap.n)
        self._whole: dict[bytes, int] = {}
        for number in np.flatnonzero(np.diff(sought.ends) < overlap.n).tolist() if masked else ():
            words = sought.of(number, masked=True)
            if len(words) - numbers(words).sum() >= MIN_RUN:
                self._whole.setdefault(words.tobytes(), number)

    def find(self, given: Tokens, *, apart: Tokens | None = None) -> dict[int, Match]:
        """The item closest to a text, by the text's place; `given` are the texts' tokens.

        Runs that stand in one of the texts `apart` do not count.
        """
        found: dict[int, tuple[float, int]] = {}
        short = np.flatnonzero(np.diff(given.ends) < self._overlap.n)
        for text in short.tolist() if self._whole else ():
            number = self._whole.get(given.of(text, masked=True).tobytes())
            if number is not None:
                found[text] = (1.0, number)
        words = given.masked if self._masked else given.hashes
        runs, sought = self._index.meetings(words, given.texts)
        if apart is not None:
            met = ~np.isin(runs.hashes, self._windows(apart).hashes)
            runs, sought = runs.only(met), sought[met]
        for text, number, places in _grouped(runs.texts, self._distinct.texts[sought]):
            score = max(
                self._covered(given, text, runs.starts[places]),
                self._covered(self._sought, number, self._starts(number, runs.hashes[places])),
            )
            if score >= self._overlap.share and score > found.get(text, (0.0, 0))[0]:
                found[text] = (score, number)
        return {text: Match(self._items[number], score) for text, (score, number) in found.items()}

    def _starts(self, number: int, hashes: Hashes) -> Indices:
        """Where an item's runs of these hashes begin."""
        first, end = np.searchsorted(self._runs.texts, (number, number + 1))
        return self._runs.starts[first:end][np.isin(self._runs.hashes[first:end], hashes)]

    def _covered(self, of: Tokens, text: int, starts: Indices) -> float:
        """The share of a text's words that lie in runs from `starts`, which rise."""
        apart = np.diff(starts)
        covered = np.minimum(apart, self._overlap.n).sum() + self._overlap.n
        return round(float(covered / len(of.of(text))), 5)

    def _windows(self, given: Tokens) -> Windows:
        n = self._overlap.n
        if not self._masked:
            return windows(given.hashes, given.texts, n)
        runs = windows(given.masked, given.texts, n)
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(numbers(given.masked))])
        worded = before[runs.starts + n] - before[runs.starts] <= n // 2
        return runs.only(worded)


def _without_phrases(runs: Windows, items: Sequence[Query]) -> Windows:
    """The runs that stand in few items: "where m and n are relatively prime positive integers" is no item."""
    _, same = np.unique([item.query_id for item in items], return_inverse=True)
    of_items = _distinct(runs._replace(texts=same[runs.texts]))
    hashes, n = np.unique(of_items.hashes, return_counts=True)
    return runs.only(np.isin(runs.hashes, hashes[n <= PHRASE]))


def _distinct(runs: Windows) -> Windows:
    """Each run of a text once: of a text and an item that repeat one word all runs would meet all."""
    order = np.lexsort((runs.texts, runs.hashes))
    hashes, texts = runs.hashes[order], runs.texts[order]
    first = np.concatenate([[True], (hashes[1:] != hashes[:-1]) | (texts[1:] != texts[:-1])])
    return runs.only(order[first[: len(order)]])


def _grouped(texts: Indices, numbers: Indices) -> Iterator[tuple[int, int, Indices]]:
    """Each pair of a text and an item, in order, with the places where it stands."""
    order = np.lexsort((numbers, texts))
    changes = (np.diff(texts[order]) != 0) | (np.diff(numbers[order]) != 0)
    for places in np.split(order, np.flatnonzero(changes) + 1) if len(order) else ():
        yield int(texts[places[0]]), int(numbers[places[0]]), places
