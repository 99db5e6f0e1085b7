"""Shards stay put: a source costs its own, and looks only at those that may hold the same query."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sourcewise.dag.shards import Shard, before, shards
from sourcewise.params.queries import Source


def _sources(**given: int | str) -> dict[str, Source]:
    synthetic = {"task": "arithmetic", "n": 1, "seed": 1}
    section: dict[str, Any] = {"category": "math", "licence": "CC0", "synthetic": synthetic}
    return {name: Source.model_validate(section | {"shards": n}) for name, n in given.items()}


def test_shards_bear_the_name_of_their_source() -> None:
    assert list(shards(_sources(a=2, b=1))) == ["a-0000", "a-0001", "b-0000"]


def test_a_source_that_joins_brings_no_shard() -> None:
    known = shards(_sources(a=1, b=2, c="a"))
    assert {name: one.sources for name, one in known.items()} == {
        "a-0000": ("a", "c"),
        "b-0000": ("b",),
        "b-0001": ("b",),
    }


def test_a_source_that_is_added_leaves_all_shards_as_they_are() -> None:
    old, new = shards(_sources(a=2, b="a", c=3)), shards(_sources(a=2, b="a", c=3, d=4))
    assert {name: one for name, one in new.items() if name in old} == old
    assert {name: before(one, new) for name, one in new.items() if name in old} == {
        name: before(one, old) for name, one in old.items()
    }


def test_more_shards_of_one_source_leave_those_of_the_others_alone() -> None:
    old, new = shards(_sources(a=1, b=2, c=1)), shards(_sources(a=1, b=3, c=1))
    assert [new[name] == old[name] for name in ("a-0000", "c-0000")] == [True, True]


def test_a_shard_looks_at_the_shards_before_it_and_at_none_of_its_own_sources() -> None:
    known = shards(_sources(a=1, b=2, c=4))
    assert before(known["a-0000"], known) == []
    assert before(known["b-0001"], known) == ["a-0000"]
    assert before(known["c-0001"], known) == ["a-0000", "b-0000"]


@given(digest=st.integers(0, 2**32 - 1), n=st.integers(1, 200), m=st.integers(1, 200))
def test_the_shards_of_a_query_meet_whatever_their_numbers(digest: int, n: int, m: int) -> None:
    one = Shard(digest * n >> 32, n, ("a",))
    assert one.meets(Shard(digest * m >> 32, m, ("b",)))


@pytest.mark.parametrize("n", [1, 2, 3, 118])
def test_a_shard_meets_no_other_of_as_many(n: int) -> None:
    met = [
        (i, k) for i in range(n) for k in range(n) if Shard(i, n, ("a",)).meets(Shard(k, n, ("b",)))
    ]
    assert met == [(i, i) for i in range(n)]
