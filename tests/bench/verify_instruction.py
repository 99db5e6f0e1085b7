"""Figures of instruction following: agreement with published verdicts, and responses per CPU second.

CPU seconds are those of this process and of its children (rusage), the median of three runs with the
checkers loaded before the clock starts. Our workers are children that are waited for, so theirs count.
"""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from figure import Figure

from sourcewise.grading import ifeval
from sourcewise.grading.attempts import Attempt, Judged
from sourcewise.params.distill import InstructionVerifier
from sourcewise.tables import Message
from sourcewise.verifiers import instruction

DATA = Path(__file__).resolve().parents[3] / "shared/data"
TARGET = 0.995
MODEL = "Mistral-7B-Instruct-v0.3"
RUNS = 3
KNOBS = InstructionVerifier(mode="strict")


def figures() -> Iterator[Figure]:
    """The lines of this verifier."""
    asked = {line["prompt"]: line for line in _lines("ifeval/input_data.jsonl")}
    lines = _lines(f"ifeval_responses/{MODEL}.jsonl")
    attempts = [_attempt(asked[line["prompt"]], line["response"]) for line in lines]
    published = [bool(line["follow_all_instructions"]) for line in lines]
    yield _agreement(attempts, published)
    rate, seconds = _speed(attempts)
    yield Figure(
        f"IFEval, {MODEL}: responses per CPU second",
        f"{rate:,.0f}",
        f"median of {RUNS} runs of {len(attempts)}, {seconds:.2f} s each",
        "–",
        None,
    )


def _agreement(attempts: list[Attempt], published: list[bool]) -> Figure:
    verdicts = _scored(attempts)
    strict = [json.loads(verdict.facts)["strict"] for verdict in verdicts]
    n = len(published)
    agreed = sum(ours == theirs for ours, theirs in zip(strict, published, strict=True))
    return Figure(
        f"IFEval, {MODEL}: prompts with the published strict verdict",
        f"{agreed} of {n} ({100 * agreed / n:.2f} %)",
        f"{sum(published)} published as followed, ours {sum(strict)}",
        f"≥ {100 * TARGET:.1f} %",
        agreed >= TARGET * n,
    )


def _speed(attempts: list[Attempt]) -> tuple[float, float]:
    """Responses per CPU second, and the CPU seconds of a run."""
    ifeval.registry()
    ifeval.language("warm")
    spent = []
    for _ in range(RUNS):
        before = _cpu_seconds()
        _scored(attempts)
        spent.append(_cpu_seconds() - before)
    return len(attempts) / median(spent), median(spent)


def _scored(attempts: list[Attempt]) -> list[Judged]:
    verdicts = list(instruction.score(attempts, knobs=KNOBS))
    if other := [verdict for verdict in verdicts if verdict.status != "scored"]:
        raise RuntimeError(f"{len(other)} responses are not scored, the first: {other[0]}")
    return verdicts


def _cpu_seconds() -> float:
    own, children = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _attempt(reference: dict[str, Any], response: str) -> Attempt:
    turns = [Message("user", reference["prompt"])]
    return Attempt("0" * 32, 1, "instruction", turns, json.dumps(reference), response, "stop")


def _lines(name: str) -> list[dict[str, Any]]:
    text = (DATA / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]
