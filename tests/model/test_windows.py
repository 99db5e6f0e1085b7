"""Runs of tokens that two collections share, beside a search by hand."""

from __future__ import annotations

import random

import numpy as np
import pytest

from sourcewise.corpus import windows as module
from sourcewise.corpus.windows import Index, windows


def _texts(rng: random.Random) -> list[list[int]]:
    return [rng.choices(range(3), k=rng.randrange(10)) for _ in range(rng.randrange(6))]


def _flat(texts: list[list[int]]) -> tuple[module.Hashes, module.Indices]:
    tokens = np.array([token + 1 for text in texts for token in text], dtype=np.uint64)
    return tokens, np.repeat(np.arange(len(texts)), [len(text) for text in texts])


def _runs(texts: list[list[int]], n: int) -> list[tuple[int, int, tuple[int, ...]]]:
    """Text, first token counted over all texts, and the tokens of each run."""
    before, runs = 0, []
    for number, text in enumerate(texts):
        runs += [
            (number, before + place, tuple(text[place : place + n]))
            for place in range(len(text) - n + 1)
        ]
        before += len(text)
    return runs


@pytest.mark.parametrize("seed", range(200))
def test_meetings_are_all_pairs_of_equal_runs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    many, few, n = _texts(rng), _texts(rng), rng.randint(1, 6)
    (tokens, texts), (sought, owners) = _flat(many), _flat(few)
    monkeypatch.setattr(module, "_BLOCK", rng.randint(1, 40))
    runs = windows(sought, owners, n)
    met, places = Index(runs, n).meetings(tokens, texts)
    found = [
        (int(text), int(start), int(runs.texts[place]), int(runs.starts[place]))
        for text, start, place in zip(met.texts, met.starts, places, strict=True)
    ]
    assert sorted(found) == [
        (text, start, owner, first)
        for text, start, run in _runs(many, n)
        for owner, first, other in _runs(few, n)
        if run == other
    ]
