"""Loops in texts: found wherever they begin, and nowhere else."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sourcewise.loops import MAX_PHRASE, MIN_PHRASE, loop


def _words(rng: random.Random, n: int) -> list[str]:
    return [f"w{rng.randrange(500)}" for _ in range(n)]


@given(
    st.integers(0, 10_000),
    st.integers(MIN_PHRASE, 60),
    st.integers(0, 40),
    st.integers(1, 6),
    st.integers(1, 9),
)
def test_a_phrase_that_follows_itself_too_often_is_found_and_one_that_does_not_is_none(
    seed: int, length: int, before: int, max_repeats: int, times: int
) -> None:
    rng = random.Random(seed)
    phrase = [f"p{seed}n{place}" for place in range(length)]
    text = " ".join([*_words(rng, before), *phrase * times, *_words(rng, 20)])
    found = loop(text, max_repeats)
    assert (found is not None) == (times > max_repeats)
    if found is not None:
        assert found.startswith(f"{times} x ")


@pytest.mark.parametrize("length", [MIN_PHRASE - 1, MAX_PHRASE + 1])
def test_shorter_and_longer_phrases_are_no_loops(length: int) -> None:
    phrase = [f"p{place}" for place in range(length)]
    # Seven words make a loop of fourteen, so that an odd number of rounds must not be enough for it.
    assert loop(" ".join(phrase * 5), 3 if length > MIN_PHRASE else 4) is None


@pytest.mark.parametrize("text", ["", "a", "0 " * 500, "- - - " * 300])
def test_an_empty_text_and_rows_of_signs_are_no_loops(text: str) -> None:
    assert loop(text, 3) is None
