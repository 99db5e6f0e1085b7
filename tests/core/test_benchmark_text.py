"""benchmark_text: a response that recites a benchmark's item goes, what its own query says is no recital."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sourcewise.drop import Drop
from sourcewise.filters import benchmark_text
from sourcewise.params.datasets import BenchmarkTextFilter
from sourcewise.recipes.candidates import Candidate
from sourcewise.tables import Message, Query, Response
from sourcewise.text import query_id

SPEC = BenchmarkTextFilter(filter="benchmark_text", n=13, share=0.6)
ITEM = (
    "Josh buys a house for $80,000 and puts 2.5 times that in repairs. This increased the value of the "
    "house by 150%. How much profit did he make when he sold it a year later?"
)
OTHER = "Wendi feeds her 20 chickens three cups of mixed feed each; how many cups are left for the night?"
SHORT = "What is 17 + 25?"
GSM8K_TRAIN = Path("../shared/data/gsm8k/train.jsonl")
GSM8K_TEST = GSM8K_TRAIN.with_name("test.jsonl")


def _query(text: str, source: str = "train") -> Query:
    turns = [Message("user", text)]
    return Query(query_id(turns), source, "math", turns, "", "MIT")


def _candidate(text: str, asked: str = "Give me a word problem.") -> Candidate:
    query = _query(asked)
    response = Response(query.query_id, 1, "a", text, "stop", 10, 5, 1, "vllm", "main")
    return Candidate(query, response, 1.0, {})


def _drop(text: str, asked: str = "Give me a word problem.") -> Drop | None:
    items = [_query(item, "gsm8k") for item in (SHORT, OTHER, ITEM)]
    return benchmark_text.prepare(SPEC, lambda: iter(()), items)(_candidate(text, asked))


@pytest.mark.parametrize(
    "recited",
    [
        ITEM,
        ITEM.upper().replace(" ", "\n "),
        ITEM.replace("$80,000", r"\$80{,}000"),
        f"“{ITEM}” — 没问题",
    ],
)
def test_an_item_inside_a_response_drops_it_and_both_are_named(recited: str) -> None:
    dropped = _drop(f"<think>I remember one. {recited} Then</think><answer>7</answer>")
    assert dropped is not None
    assert dropped.reason == "exact"
    assert dropped.value.startswith(f"gsm8k/{_query(ITEM).query_id} 1.000: ")
    assert "when he sold it a year later?" in dropped.value.casefold()


def test_most_of_an_item_drops_a_response_and_the_shared_words_can_be_read() -> None:
    words = ITEM.split()
    most = " ".join(words[:26])
    own = "I would rather begin with something else, for a problem should be new to who reads it."
    dropped = _drop(f"<think>{own} As in: {most} and so on, of course.</think><answer>7</answer>")
    assert dropped is not None
    assert dropped.reason == "ngram"
    reference, _, passage = dropped.value.partition(": ")
    assert reference.startswith(f"gsm8k/{_query(ITEM).query_id} 0.")
    assert passage == most
    assert _drop(f"<think>{own} As in: {' '.join(words[:15])} and so on.</think>") is None


def test_what_the_query_says_is_no_recital() -> None:
    assert _drop(f"<think>I am asked: {ITEM}</think><answer>7</answer>", asked=ITEM) is None
    most = " ".join(ITEM.split()[:26])
    assert _drop(f"<think>{most} …</think><answer>7</answer>", asked=f"{most} what?") is None


def test_an_item_beside_the_quoted_query_is_found() -> None:
    text = f"<think>{ITEM} That is like this one: {OTHER}</think><answer>7</answer>"
    dropped = _drop(text, asked=ITEM)
    assert dropped is not None
    assert dropped.value.startswith(f"gsm8k/{_query(OTHER).query_id} ")


def test_a_short_item_in_a_long_response_proves_nothing() -> None:
    assert _drop(f"<think>{SHORT} 42, and so on.</think><answer>42</answer>") is None


def test_real_answers_stay_and_real_items_planted_in_them_go() -> None:
    if not GSM8K_TEST.is_file():
        pytest.skip(f"{GSM8K_TEST} is not here: the project was cloned alone")
    train = [json.loads(line) for line in GSM8K_TRAIN.read_text(encoding="utf-8").splitlines()]
    test = [json.loads(line) for line in GSM8K_TEST.read_text(encoding="utf-8").splitlines()]
    items = [_query(row["question"], "gsm8k") for row in test]
    check = benchmark_text.prepare(SPEC, lambda: iter(()), items)
    own = [_candidate(row["answer"], row["question"]) for row in train]
    assert [one.response.text for one in own if check(one)] == []
    planted = zip(train, test, strict=False)
    texts = [f"{ours['answer']}\n{theirs['question']}\nSo" for ours, theirs in planted]
    assert [text for text in texts if not check(_candidate(text))] == []
