"""Figures of the verifier of mathematics: agreement, and responses per CPU second beside plain math-verify.

CPU seconds are those of a process and of its children (rusage), medians of three runs, each in a process of
its own that is forked from one in which math-verify is loaded and warm. Our workers are children that are
waited for, so their seconds count. "Plain" is one process that parses reference and response with the
library's own settings and alarms, and verifies.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from figure import Figure

from sourcewise.grading.algebra import warm
from sourcewise.grading.attempts import Attempt
from sourcewise.params.distill import MathVerifier
from sourcewise.tables import Message, Verdict
from sourcewise.verifiers import math

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY.parent / "shared/data"
POISON = REPOSITORY / "tests/attacks/answers.jsonl"
KNOBS = MathVerifier(seconds=5, memory_mb=2048, max_answer_chars=2000, judge=None)
QUICK = KNOBS.model_copy(update={"seconds": 0.5})
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
RUNS = 3
SAMPLE = 400  # rows of the plain side
REASONING = 20_000  # characters


class Row(NamedTuple):
    """A response with what it should be, as both sides get it."""

    reference: str
    text: str


def figures() -> Iterator[Figure]:
    """The lines of this verifier, one by one."""
    warm()
    yield from _agreement()
    ordinary = [row for row, _ in _gsm8k()]
    reasoning = _reasoning()
    behind = [
        Row(row.reference, f"<think>{reasoning}</think>{row.text.partition('</think>')[2]}")
        for row in ordinary
        if "</think>" in row.text
    ]
    own, shuffled = _math500()
    hard = [row for pair in zip(own, shuffled, strict=True) for row in pair]
    yield _ratio("GSM8K solutions", ordinary, target=15)
    yield _ratio(f"the same behind {REASONING:,} characters", behind, target=50)
    yield _ratio("hard mix: MATH-500 true and shuffled", hard, target=1.7)
    yield from _poisoned(hard)


def _agreement() -> Iterator[Figure]:
    rows = _gsm8k()
    scores = [verdict.score for verdict in _judge([row for row, _ in rows])]
    agreed = sum((score == 1.0) == label for score, (_, label) in zip(scores, rows, strict=True))
    n = len(rows)
    share = f"{agreed:,} of {n:,}"
    yield Figure("GSM8K: agreement with the labels", share, "labels", "all", agreed == n)
    own, shuffled = _math500()
    passed = sum(verdict.score == 1.0 for verdict in _judge(own))
    accepted = sum(verdict.score == 1.0 for verdict in _judge(shuffled))
    yield Figure("MATH-500: own answer", f"{passed} of 500", "", "500", passed == 500)
    yield Figure("MATH-500: another's answer", f"{accepted} of 500", "", "≤ 1", accepted <= 1)


def _ratio(what: str, rows: list[Row], *, target: float) -> Figure:
    """Responses per CPU second; the plain side sees every n-th row, for it takes long."""
    sample = rows[:: max(1, len(rows) // SAMPLE)]
    ours = len(rows) / median(_seconds(lambda: _judge(rows)) for _ in range(RUNS))
    plain = len(sample) / median(_seconds(lambda: _plain(sample)) for _ in range(RUNS))
    return Figure(
        f"{what}, responses per CPU s",
        f"{ours:,.0f} ({ours / plain:.1f} ×; {len(rows):,} rows)",
        f"plain math-verify {plain:,.0f} ({len(sample)} rows)",
        f"≥ {target:g} ×",
        ours / plain >= target,
    )


def _poisoned(hard: list[Row]) -> Iterator[Figure]:
    """The hard mix with one hostile answer in fifty, and without."""
    lines = [json.loads(line) for line in POISON.read_text().splitlines()]
    poison = itertools.cycle(
        Row(line["reference"], f"<answer>{line['answer']}</answer>")
        for line in lines
        if "answer" in line
    )
    mixed, hostile = [], []
    for place, row in enumerate(hard):
        mixed.append(row)
        hostile.append(False)
        if place % 50 == 0:
            mixed.append(next(poison))
            hostile.append(True)
    alone, beside = _judge(hard, QUICK), _judge(mixed, QUICK)
    kept = [verdict for verdict, bad in zip(beside, hostile, strict=True) if not bad]
    same = sum(_said(a) == _said(b) for a, b in zip(alone, kept, strict=True))
    accepted = sum(v.score == 1.0 for v, bad in zip(beside, hostile, strict=True) if bad)
    n, bad = len(mixed), sum(hostile)
    answered = f"{len(beside):,} of {n:,} ({bad} poison)"
    yield Figure("hard mix with 2 % poison: answered", answered, "", "all", len(beside) == n)
    unchanged = f"{same:,} of {len(hard):,}"
    yield Figure("… innocents as without poison", unchanged, "", "all", same == len(hard))
    yield Figure("… poison accepted", str(accepted), "", "0", accepted == 0)


def _said(verdict: Verdict) -> tuple[str, float | None, str]:
    return verdict.status, verdict.score, verdict.detail


def _judge(rows: list[Row], knobs: MathVerifier = KNOBS) -> list[Verdict]:
    return list(math.score((_attempt(row) for row in rows), knobs=knobs))


def _attempt(row: Row) -> Attempt:
    return Attempt(
        query_id="0" * 32,
        attempt=1,
        category="math",
        messages=[Message("user", "?")],
        reference=json.dumps({"answer": row.reference}),
        text=row.text,
        finish_reason="stop",
    )


def _plain(rows: list[Row]) -> list[bool]:
    from math_verify import parse, verify

    return [verify(parse(f"${row.reference}$"), parse(row.text)) for row in rows]


def _seconds(work: Callable[[], object]) -> float:
    """CPU seconds of work in a process of its own, so that no run finds what the last one has cached."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        begin = _spent()
        work()
        os.write(theirs, repr(_spent() - begin).encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as reader:
        seconds = reader.read()
    os.waitpid(child, 0)
    return float(seconds)


def _spent() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _jsonl(name: str) -> list[dict]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def _gsm8k() -> list[tuple[Row, bool]]:
    """Solutions of four models as responses, with the published labels."""
    rows = []
    for line in _jsonl("gsm8k/example_model_solutions.jsonl"):
        reference = line["ground_truth"].rpartition("\nA: ")[2]
        for model in MODELS:
            reasoning, marker, answer = line[model]["solution"].rpartition("\nA: ")
            closed = f"<think>{reasoning}</think><answer>{answer}</answer>"
            text = closed if marker else f"<think>{line[model]['solution']}"
            rows.append((Row(reference, text), line[model]["is_correct"]))
    return rows


def _math500() -> tuple[list[Row], list[Row]]:
    """Solutions with their own answers, and with the answer of the next problem whose answer is another."""
    lines = _jsonl("math500/test.jsonl")
    own = [Row(line["answer"], line["solution"]) for line in lines]
    answers = [row.reference for row in own]
    shuffled = [
        Row(next(a for a in answers[n + 1 :] + answers if a != row.reference), row.text)
        for n, row in enumerate(own)
    ]
    return own, shuffled


def _reasoning() -> str:
    text = "\n\n".join(line["solution"] for line in _jsonl("math500/test.jsonl"))
    return text.replace("\\boxed", "")[:REASONING]
