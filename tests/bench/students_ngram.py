"""The ngram filter on responses of about 500 tokens with planted phrases whose counts are known."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
from figure import Figure
from jobs import job, run

from sourcewise.tables import (
    Message,
    Perplexity,
    Query,
    Reject,
    Response,
    Selected,
    Verdict,
    read,
    write,
)

TOKENS, SHARD = 500, 16_000
N, LIMIT = 20, 20
# Phrases that may stay, phrases that may not, and the share of responses with one and the same sentence.
ALLOWED, REFUSED, BOILERPLATE = 200, 200, 0.01
MINUTES, GIB, RESPONSES = 10, 6, 1_000_000
TEACHER = "t"
DATASET = {
    "teachers": [TEACHER],
    "min_score": 0.9,
    "solved_by": [],
    "lengths_of": None,
    "filters": ["ngram"],
    "max_examples": None,
    "seed": 1,
}
FILTERS = {"ngram": {"filter": "ngram", "n": N, "max_count": LIMIT}}


def figures(n_responses: int) -> Iterator[Figure]:
    """Time and memory of the stage, and whether what it drops is what was planted."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        planted = make(folder, n_responses)
        spent = run([filtering(folder)])
        dropped = {
            row.query_id: int(row.value.split()[3])
            for row in read(folder / "rejects.parquet", Reject)
        }
    limit = MINUTES * 60 * n_responses / RESPONSES
    yield Figure(
        f"stage filter with ngram alone, {n_responses:,} responses of about {TOKENS} tokens",
        f"{spent.seconds:.0f} s",
        f"{spent.cpu:.0f} CPU-s; {spent.cpu / n_responses * RESPONSES / 60:.1f} CPU-min a million",
        f"≤ {limit:.0f} s",
        spent.seconds <= limit,
    )
    yield Figure("— peak memory", f"{spent.peak:.2f} GiB", "", f"≤ {GIB} GiB", spent.peak <= GIB)
    met = sum(dropped.get(query_id) == n for query_id, n in planted.items())
    yield Figure(
        f"— {ALLOWED} phrases at {LIMIT} occurrences, {REFUSED} at {LIMIT + 1}, one in "
        f"{BOILERPLATE:.0%} of the responses",
        f"{met:,} of {len(planted):,} dropped with the exact count, {len(dropped) - met} others",
        "",
        "all, none",
        dropped == planted,
    )


def filtering(folder: Path) -> list[str]:
    """The arguments of the stage."""
    return job(
        "filter",
        name="all",
        dataset=json.dumps(DATASET),
        filters=json.dumps(FILTERS),
        selected=folder / "selected.parquet",
        queries=folder / "manifest.json",
        teachers=[folder / TEACHER / "manifest.json"],
        benchmarks=[],
        lengths_of=[],
        out=folder / "examples.parquet",
        rejects=folder / "rejects.parquet",
        card=folder / "card.json",
    )


def make(folder: Path, n_responses: int) -> dict[str, int]:
    """Writes a corpus and a teacher's attempts; returns the counts of the phrases that are too frequent."""
    draw, numbers = Random(1), np.random.default_rng(1)
    vocabulary = np.array(
        [word(draw) for _ in range(30_000)]
        + [str(n) for n in range(2000)]
        + [r"\frac{1}{2}", "x^2", "“so”", "3.5,", "=", "+", "\n"] * 100,
        dtype=object,
    )
    inserted, planted = plant(draw, n_responses)
    shards = []
    for first in range(0, n_responses, SHARD):
        shards.append(f"{first // SHARD:04}")
        own = range(first, min(first + SHARD, n_responses))
        drawn = vocabulary[numbers.integers(len(vocabulary), size=(len(own), TOKENS))]
        texts = [
            " ".join([*some[:250], inserted.get(n, ""), *some[250:]])
            for n, some in zip(own, drawn.tolist(), strict=True)
        ]
        tables(folder, shards[-1], own, texts)
    write(
        folder / "selected.parquet",
        Selected,
        (Selected(f"{n:032x}", TEACHER, 1, 1.0) for n in range(n_responses)),
    )
    (folder / "manifest.json").write_text(json.dumps({"shards": shards}))
    content = {"teacher": TEACHER, "attempts": 1, "shards": shards}
    (folder / TEACHER / "manifest.json").write_text(json.dumps(content))
    return {f"{n:032x}": times for n, times in planted.items()}


def plant(draw: Random, n_responses: int) -> tuple[dict[int, str], dict[int, int]]:
    """The phrase of each response that has one, and its count where that is above the limit."""
    common = round(BOILERPLATE * n_responses)
    counts = [LIMIT] * ALLOWED + [LIMIT + 1] * REFUSED + [common]
    places = iter(draw.sample(range(n_responses), sum(counts)))
    inserted: dict[int, str] = {}
    planted: dict[int, int] = {}
    for n in counts:
        phrase = " ".join(word(draw) for _ in range(N))
        for _ in range(n):
            place = next(places)
            # Between words of its own: of 10,000 neighbours many are one letter, and then 20 tokens, too.
            inserted[place] = f"before{place} {phrase} after{place}"
            if n > LIMIT:
                planted[place] = n
    return inserted, planted


def word(draw: Random) -> str:
    """One to nine letters."""
    return "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(1, 9)))


def tables(folder: Path, shard: str, own: range, texts: list[str]) -> None:
    """The tables of a shard."""
    ids = [f"{n:032x}" for n in own]
    turns = [Message("user", "What is it?")]
    attempts = folder / TEACHER / "round-1"
    write(
        folder / f"corpus/{shard}.parquet",
        Query,
        (Query(one, "source", "math", turns, "", "MIT") for one in ids),
    )
    write(
        attempts / f"{shard}.responses.parquet",
        Response,
        (
            Response(one, 1, TEACHER, text, "stop", TOKENS, 5, 1, "vllm", "main")
            for one, text in zip(ids, texts, strict=True)
        ),
    )
    write(
        attempts / f"{shard}.verdicts.parquet",
        Verdict,
        (Verdict(one, 1, "scored", 1.0, "", "math", "1") for one in ids),
    )
    write(
        folder / TEACHER / f"perplexity/{shard}.parquet",
        Perplexity,
        (Perplexity(one, 1, "scorer", 2.0, TOKENS) for one in ids),
    )
