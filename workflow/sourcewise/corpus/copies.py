"""Publications of the same questions against each other: other answers, and answers that a text gives away.

A public copy of AIME 2024 has the solutions of three problems (I-5, I-6, II-10) within their texts; another
once had a wrong answer to I-12.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

# Copies of one question share more of the shorter one's words than this (AIME: 75 % and more), and of all
# questions it is the most alike. Two questions of one competition share up to 73 %.
LEAST = 0.6
COMMAND = re.compile(r"\\[A-Za-z]+")
WORD = re.compile(r"[^\W\d_]+|\d+")


class Item(NamedTuple):
    """A question of a publication: identity, file and row, text, and reference as verifiers read it."""

    query_id: str
    place: str
    text: str
    reference: str


def disagreements(items: Sequence[Item], copy: Sequence[Item]) -> list[tuple[Item, str]]:
    """Each item that its counterpart in a copy disagrees with, and how; an item without one does so too."""
    words = [_words(other.text) for other in copy]
    found = []
    for item in items:
        own = _words(item.text)
        alike, other, theirs = max(
            ((_alike(own, those), one, those) for one, those in zip(copy, words, strict=True)),
            key=lambda candidate: candidate[0],
            default=(0.0, item, own),
        )
        if alike < LEAST:
            found.append((item, f"{item.place}: the copy holds no such question"))
        elif _answer(item) != _answer(other):
            said = f"{item.place} answers {_answer(item)!r}, {other.place} {_answer(other)!r}"
            found.append((item, said))
        elif leak := _leak(item, own, other, theirs):
            found.append((item, leak))
    return found


def _words(text: str) -> Counter[str]:
    return Counter(WORD.findall(COMMAND.sub(" ", text).lower()))


def _alike(one: Counter[str], other: Counter[str]) -> float:
    """The share of the words of the shorter text that both have; suffixes and layout count little."""
    return (one & other).total() / max(1, min(one.total(), other.total()))


def _answer(item: Item) -> str:
    """What a reference demands; whole numbers without zeros before them, as AIME writes 025 and 25."""
    known = json.loads(item.reference) if item.reference else {}
    answer = known.get("answer") if isinstance(known, dict) else None
    if answer is None:
        return item.reference
    text = re.sub(r"[\s$]", "", str(answer))
    return str(int(text)) if text.isdecimal() else text


def _leak(item: Item, own: Counter[str], other: Item, theirs: Counter[str]) -> str:
    """Which of two texts of a question holds its answer more often than the other; "" where neither does."""
    answer = _answer(item).lower()
    if own[answer] == theirs[answer]:
        return ""
    longer, shorter = (item, other) if own[answer] > theirs[answer] else (other, item)
    return (
        f"the text of {longer.place} holds the answer {answer!r}, that of {shorter.place} does not"
    )
