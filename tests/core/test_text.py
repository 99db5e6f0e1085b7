"""Text: one identity of a query, one way to cut a response."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sourcewise.tables import Message
from sourcewise.text import Parts, final_answer, normalise, query_id, shard_ids, split_reasoning


def _user(text: str) -> list[Message]:
    return [Message("user", text)]


def test_white_space_and_unicode_form_do_not_change_a_query() -> None:
    assert query_id(_user("Caf\u00e9  at\n2?")) == query_id(_user(" Cafe\u0301 at 2? "))


@pytest.mark.parametrize(
    "other",
    [
        _user("what is 2 + 2?"),
        [Message("system", "What is 2 + 2?")],
        [*_user("What is"), Message("user", "2 + 2?")],
    ],
    ids=["case", "role", "turns"],
)
def test_case_roles_and_turns_do(other: list[Message]) -> None:
    assert query_id(_user("What is 2 + 2?")) != query_id(other)


def test_shards_share_the_queries_evenly() -> None:
    queries = [query_id(_user(str(n))) for n in range(4000)]
    ranges = [shard_ids(number, 4) for number in range(4)]
    assert all(900 < sum(first <= one < end for one in queries) < 1100 for first, end in ranges)


@given(n=st.integers(1, 200), digest=st.integers(0, 2**32 - 1))
@example(n=3, digest=2**32 - 1)
def test_a_query_lies_in_one_shard(n: int, digest: int) -> None:
    identity = f"{digest:08x}" + "0f" * 12
    ranges = [shard_ids(number, n) for number in range(n)]
    within = [number for number, (first, end) in enumerate(ranges) if first <= identity < end]
    assert within == [digest * n >> 32]


@given(st.text(st.sampled_from(" a\n\t\x1f\u00a0e\u0301") | st.characters(), max_size=12))
def test_normalise_folds_all_white_space(text: str) -> None:
    assert normalise(text) == " ".join(unicodedata.normalize("NFC", text).split())


def test_normalise_keeps_case() -> None:
    assert normalise(" A\tb\n") == "A b"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("<think>a</think>b", Parts("a", "b", True)),
        ("a</think>b", Parts("a", "b", True)),
        ("<think>a</think>b<think>c</think>d", Parts("a</think>b<think>c", "d", True)),
        ("<think>a", Parts("a", "", False)),
        ("<think>a</think>b<think>c", Parts("a</think>b<think>c", "", False)),
        ("b", Parts("", "b", True)),
    ],
)
def test_a_response_is_cut_after_its_last_reasoning(text: str, parts: Parts) -> None:
    assert split_reasoning(text) == parts


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>x</think><answer> 5 </answer>", "5"),
        ("<think><answer>4</answer></think>it is 5", "it is 5"),
        ("<think>x</think><answer>5", "5"),
        ("<think>x</think><answer>4</answer> no: <answer>5</answer>", "5"),
        ("<think><answer>5</answer>", None),
    ],
)
def test_the_final_answer_is_never_taken_from_the_reasoning(text: str, answer: str | None) -> None:
    assert final_answer(text) == answer
