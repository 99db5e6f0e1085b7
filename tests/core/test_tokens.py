"""Tokens: the hashes are those of the words that people read, and another spelling changes neither."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sourcewise.corpus.tokens import tokens, words

PIECES = st.sampled_from(
    [
        *"aB1.,_ +\\\n\0",
        "1,000",
        "1,0000",
        "12.5",
        "\\,",
        "{,}",
        "\u00bd",
        "\u4f60",
        "\u0e01",
        "\u2019",
        "\ud800",
    ]
)


@given(st.lists(st.lists(PIECES).map("".join) | st.text(max_size=9), max_size=5))
def test_a_hash_stands_for_each_word_and_for_no_other(texts: list[str]) -> None:
    found = tokens(texts)
    known: dict[str, int] = {}
    for place, text in enumerate(texts):
        hashes = found.of(place).tolist()
        read = words(text)
        assert len(read) == len(hashes)
        for word, value in zip(read, hashes, strict=True):
            assert known.setdefault(word, value) == value
    assert len(set(known.values())) == len(known)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("So $1,000 is 1000.", ["so", "1000", "is", "1000"]),
        ("x = 3.5", ["x", "3.5"]),
        (r"\frac{1}{2}\,km", ["1", "2", "km"]),
        ("1,000 \u201cmiles\u201d, 3.5 hours", ["1000", "miles", "3.5", "hours"]),
        ("\u4f60\u597d2\u4e2a", ["\u4f60", "\u597d", "2", "\u4e2a"]),
        ("don\u2019t", ["don", "t"]),
    ],
)
def test_case_signs_and_spelling_do_not_count(text: str, expected: list[str]) -> None:
    assert words(text) == expected
