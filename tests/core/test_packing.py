"""Packing: every example lies in one row, whole, and rows are as full as best-fit decreasing makes them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sourcewise.training.packing import best_fit


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(50, 80))
def test_every_example_lies_whole_in_one_row(lengths: list[int], capacity: int) -> None:
    bins = best_fit(lengths, capacity)
    assert sorted(index for row in bins for index in row) == list(range(len(lengths)))
    assert all(sum(lengths[index] for index in row) <= capacity for row in bins)
    # Any two rows together exceed one, or the later one's examples would lie in the earlier.
    spaces = sorted(capacity - sum(lengths[index] for index in row) for row in bins)
    assert all(space + other < capacity for space, other in itertools.pairwise(spaces))


def test_an_example_goes_where_it_leaves_the_least_space() -> None:
    assert best_fit([4, 7, 3, 6], 10) == [[1, 2], [3, 0]]
    assert best_fit([5, 8, 2, 6, 3], 10) == [[1, 2], [3, 4], [0]]


@pytest.mark.parametrize("length", [0, 11])
def test_a_length_that_no_row_holds_is_an_error(length: int) -> None:
    with pytest.raises(ValueError, match=f"length {length} of row 1 is not between 1 and 10"):
        best_fit([3, length], 10)
