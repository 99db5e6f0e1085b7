"""HumanEval+ and MBPP+ by EvalPlus' own evaluator, inside our sandbox, and by our verifier on every test.

EVALPLUS names the environment that has it (`evalplus_peer.py` says how it is made); without it nothing is
measured. Each reference program and MUTANTS programs with one change are judged by both.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from figure import Figure
from verify_code import attempt

from sourcewise.commands import programs
from sourcewise.corpus.reading import rows
from sourcewise.grading import sandbox
from sourcewise.grading.sandbox.command import interpreter
from sourcewise.grading.sandbox.supervisor import run
from sourcewise.params.distill import CodeVerifier
from sourcewise.tables import Verdict
from sourcewise.verifiers import code

DATA = Path(__file__).resolve().parents[3] / "shared/data"
SETS = {"humaneval": "humanevalplus/HumanEvalPlus.jsonl.gz", "mbpp": "mbppplus/MbppPlus.jsonl.gz"}
KNOBS = CodeVerifier(max_tests=sys.maxsize, seconds=30, memory_mb=2048, compile_seconds=30)
MUTANTS = 2
# Programs of one sandbox: EvalPlus takes a second to load, and forks for every program.
TASKS = 12
LIMITS = sandbox.Limits(590, 4096, output_bytes=4 << 20)
AGREE = 0.995


class Judged(NamedTuple):
    """A program and both verdicts on it."""

    name: str
    ours: Verdict
    theirs: dict[str, Any]

    @property
    def agree(self) -> bool:
        return (self.ours.score == 1.0) is (self.theirs["status"] == "pass")

    def said(self) -> str:
        """Both verdicts of one on which they differ."""
        theirs = f"{self.theirs['status']}, {self.theirs['passed']} of {self.theirs['tests']}"
        return f"{self.name}: ours {self.ours.status} ({self.ours.detail}), EvalPlus {theirs}"


def figures() -> Iterator[Figure]:
    """The share of programs on which both say the same, by set; the others on stderr."""
    venv = os.environ.get("EVALPLUS")
    for dataset in SETS:
        what = f"{dataset}+, agreement with EvalPlus 0.3.1"
        if not venv:
            yield Figure(what, "not measured", "EVALPLUS names no environment", "", None)
            continue
        judged = list(_judged(dataset, Path(venv)))
        differing = [one for one in judged if not one.agree]
        for one in differing:
            print(one.said(), file=sys.stderr, flush=True)
        share = 1 - len(differing) / len(judged)
        passed = sum(one.theirs["status"] == "pass" for one in judged)
        ours = f"{len(judged) - len(differing)} of {len(judged)} ({share:.2%})"
        peer = f"EvalPlus passes {passed}; differ: {' '.join(o.name for o in differing) or 'none'}"
        yield Figure(what, ours, peer, f">= {AGREE:.1%}", share >= AGREE)


def _judged(dataset: str, venv: Path) -> Iterator[Judged]:
    path = DATA / SETS[dataset]
    tasks = [row for _, row in rows(path)]
    chosen = list(programs.evalplus(path))
    for start in range(0, len(tasks), TASKS):
        part = slice(start, start + TASKS)
        given = [
            [one.whole, *(itertools.islice(programs.wrong(one), MUTANTS))] for one in chosen[part]
        ]
        theirs = _evalplus(dataset, tasks[part], given, venv)
        attempts = [
            attempt(one, text)
            for one, texts in zip(chosen[part], given, strict=True)
            for text in texts
        ]
        ours = code.score(attempts, knobs=KNOBS)
        for one, texts, verdicts in zip(chosen[part], given, theirs, strict=True):
            for number in range(len(texts)):
                name = f"{one.name}{f'/mutant {number}' if number else ''}"
                yield Judged(name, next(ours), verdicts[number])  # type: ignore[arg-type]


def _evalplus(
    dataset: str, tasks: Sequence[dict[str, Any]], given: Sequence[list[str]], venv: Path
) -> list[list[dict[str, Any]]]:
    request = {
        "dataset": dataset,
        "tasks": [{**task, "programs": texts} for task, texts in zip(tasks, given, strict=True)],
    }
    site = next(venv.glob("lib/python3*/site-packages"))
    # Its shared memory and locks want /dev/shm.
    binds = ("--ro-bind", str(site), "/peer", "--size", str(16 << 20), "--tmpfs", "/dev/shm",
             "--setenv", "PYTHONPATH", "/peer", "--setenv", "HOME", "/tmp")  # fmt: skip
    script = Path(__file__).with_name("evalplus_peer.py").read_text(encoding="utf-8")
    command = (interpreter()[0], "-s", "-B", "-c", script)
    result = run(command, json.dumps(request).encode(), limits=LIMITS, binds=binds)
    lines = [json.loads(line) for line in result.output.decode().splitlines()]
    if len(lines) < len(tasks):
        raise RuntimeError(f"EvalPlus ended after {len(lines)} of {len(tasks)} tasks: {result}")
    return [line["verdicts"] for line in lines]
