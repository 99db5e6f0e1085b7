"""A finished working copy of any size for the trace browser's bench: corpus, rounds, verdicts, datasets.

Texts are slices of one long row of random words, so that a million attempts are made in a minute; the tables
are laid out as the stages write them: shards of 16,000 queries, row groups of 2,048, sorted by query_id.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

from sourcewise.tables import Message, Query, Response, Verdict, write

SHARD, ROUNDS, TEACHERS = 16_000, 4, ("alpha", "beta", "gamma")
PASS = {"alpha": 0.75, "beta": 0.6, "gamma": 0.5}
CATEGORIES = ("math", "code", "instruction")
STATUSES = ("scored", "scored", "scored", "no_answer", "truncated", "timeout")
# As many characters as a short trace has: 500 tokens.
QUERY_CHARACTERS, RESPONSE_CHARACTERS = 300, 2_000
# Stands in one query of the last shard only: the search that must look at everything.
NEEDLE = "zyzzyva in the last shard"


def make(folder: Path, attempts: int) -> int:
    """Writes a copy with at least this many attempts; returns how many there are."""
    words = _words()
    n, number, waiting = 0, 0, False
    while n < attempts or waiting:
        waiting = n < attempts
        n += _shard(folder, f"made-{number:04}", words, needle=not waiting)
        number += 1
    return n


def _words() -> str:
    rng = random.Random("words")
    known = [
        "".join(rng.choices("abcdefghijklmnopqrstuvw", k=rng.randint(2, 9))) for _ in range(4000)
    ]
    return " ".join(rng.choices(known, k=1_000_000))


def _shard(folder: Path, shard: str, words: str, *, needle: bool) -> int:
    rng = random.Random(shard)
    ids = sorted(hashlib.sha256(f"{shard}/{n}".encode()).hexdigest()[:32] for n in range(SHARD))
    queries = [_query(identity, shard, words, rng) for identity in ids]
    if needle:
        last = queries[-1]
        queries[-1] = Query(last.query_id, last.source, last.category,
                            [Message("user", f"Is there a {NEEDLE}?")], "", "CC0")  # fmt: skip
    write(folder / f"data/queries/corpus/{shard}.parquet", Query, queries)
    return sum(_distil(folder, teacher, shard, ids, words, rng) for teacher in TEACHERS)


def _slice(words: str, length: int, rng: random.Random) -> str:
    start = rng.randrange(len(words) - 4 * length)
    return words[start : start + rng.randint(length // 2, 3 * length // 2)]


def _query(identity: str, shard: str, words: str, rng: random.Random) -> Query:
    asked = [Message("user", _slice(words, QUERY_CHARACTERS, rng))]
    category = CATEGORIES[int(identity[:2], 16) % len(CATEGORIES)]
    return Query(identity, "made", category, asked, '{"answer": "4"}', "CC0")


def _distil(
    folder: Path, teacher: str, shard: str, ids: Sequence[str], words: str, rng: random.Random
) -> int:
    n, left = 0, list(ids)
    for attempt in range(1, ROUNDS + 1):
        responses, verdicts, lost = [], [], []
        for identity in left:
            text = f"<think>{_slice(words, RESPONSE_CHARACTERS, rng)}</think><answer>4</answer>"
            responses.append(
                Response(identity, attempt, teacher, text, "stop", 500, 60, 1, "vllm 1", "r1")
            )
            passed = rng.random() < PASS[teacher]
            status = "scored" if passed else rng.choice(STATUSES)
            score = float(passed) if status == "scored" else None
            verdicts.append(Verdict(identity, attempt, status, score, "said 4", "math", "3"))
            lost += [] if passed else [identity]
        rounds = folder / f"data/distill/{teacher}/round-{attempt}"
        write(rounds / f"{shard}.responses.parquet", Response, responses)
        write(rounds / f"{shard}.verdicts.parquet", Verdict, verdicts)
        n, left = n + len(responses), lost
    return n
