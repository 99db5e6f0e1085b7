"""Defects planted among synthetic queries, so that every step of clean and decontaminate has work.

Planted rows are changed copies: the query they were made from stays, so that a step that drops
exactly what was planted leaves the original problems.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Callable
from functools import partial

from sourcewise.params.queries import Synthetic
from sourcewise.tables import Message, Query
from sourcewise.text import query_id

# Pairs that keep the meaning of our own problems' sentences and of most others.
SYNONYMS = (
    ("How many", "What number of"),
    ("in total", "altogether"),
    ("Write a", "Please write a"),
    ("returns", "gives back"),
    ("Describe", "Please describe"),
    ("Tell me something", "Say something"),
    ("Find", "Determine"),
    ("What is", "Calculate"),
)


def with_defects(
    queries: list[Query], spec: Synthetic, benchmarks: dict[str, list[Query]], *, seed: int
) -> list[Query]:
    """The queries with the spec's planted rows among them, in an order that only the seeds decide.

    `benchmarks` holds the items that `spec.plant` may ask for. Raises ValueError where it asks for
    a benchmark that is not there or for more items than it has.
    """
    rng = random.Random(f"{seed}/{spec.seed}/{spec.task}/defects")
    planted = [
        *_changed(queries, spec.duplicates, (_same, _respaced), rng),
        *_changed(queries, spec.urls, (_with_url,), rng),
        *_changed(queries, spec.tables, (_with_markdown, _with_html, _with_tabs), rng),
        *_changed(queries, spec.broken, (_garbled, _cut, _without_figure), rng),
    ]
    for name, n in sorted(spec.plant.items()):
        items = _items(name, n, benchmarks)
        source, licence = queries[0].source, queries[0].licence
        copies = [
            dataclasses.replace(item, source=source, licence=licence)
            for item in rng.sample(items, n)
        ]
        planted += [
            copy if index % 2 == 0 else _edited(copy, reworded) for index, copy in enumerate(copies)
        ]
    mixed = queries + planted
    if planted:
        rng.shuffle(mixed)
    return mixed


def _items(name: str, n: int, benchmarks: dict[str, list[Query]]) -> list[Query]:
    if name not in benchmarks:
        raise ValueError(
            f"synthetic.plant names {name!r}, which is not one of the benchmarks {sorted(benchmarks)}"
        )
    if n > len(benchmarks[name]):
        raise ValueError(
            f"synthetic.plant asks for {n} items of {name!r}, which has {len(benchmarks[name])}"
        )
    return benchmarks[name]


Change = Callable[[random.Random, str], str]


def _changed(
    queries: list[Query], n: int, changes: tuple[Change, ...], rng: random.Random
) -> list[Query]:
    """Copies of n random queries, with the changes in turn."""
    return [
        _edited(rng.choice(queries), partial(changes[index % len(changes)], rng))
        for index in range(n)
    ]


def _edited(query: Query, edit: Callable[[str], str]) -> Query:
    """The query with its last turn edited."""
    last = query.messages[-1]
    messages = [*query.messages[:-1], Message(last.role, edit(last.content))]
    return dataclasses.replace(query, query_id=query_id(messages), messages=messages)


def reworded(text: str) -> str:
    """The same question in slightly other words, which an exact comparison cannot find."""
    for before, after in SYNONYMS:
        if before in text:
            return text.replace(before, after)
    first, blank, rest = text.partition(" ")
    return f"{first}, please,{blank}{rest}"


def _same(rng: random.Random, text: str) -> str:
    return text


def _respaced(rng: random.Random, text: str) -> str:
    return re.sub(" ", lambda _: rng.choice((" ", "  ", "\n")), f" {text}  ")


def _with_url(rng: random.Random, text: str) -> str:
    return f"{text} See https://www.example.org/problems/{rng.randrange(10**6)}."


def _with_markdown(rng: random.Random, text: str) -> str:
    return f"{text}\n\n| day | number |\n|---|---:|\n| 1 | {rng.randrange(100)} |\n| 2 | 7 |"


def _with_html(rng: random.Random, text: str) -> str:
    return f"{text}\n<table><tr><td>day 1</td><td>{rng.randrange(100)}</td></tr></table>"


def _with_tabs(rng: random.Random, text: str) -> str:
    return f"{text}\nday\tnumber\tprice\n1\t{rng.randrange(100)}\t2\n2\t5\t3"


def _garbled(rng: random.Random, text: str) -> str:
    """Text whose bytes were lost: replacement characters, private use and controls."""
    return "".join(
        rng.choice("\ufffd\ue000\u0003\u2593") if rng.random() < 0.5 else letter for letter in text
    )


def _cut(rng: random.Random, text: str) -> str:
    """Text that stops in the middle of a sentence."""
    words = text.split()
    kept = words[: max(2, rng.randrange(len(words) // 2, len(words)))]
    return f"{' '.join(kept).rstrip('.,;:!?')}{rng.choice((' and', ' the', ',', ' (', '…'))}"


def _without_figure(rng: random.Random, text: str) -> str:
    return f"{text} Use the numbers shown in figure {rng.randint(1, 9)} below."
