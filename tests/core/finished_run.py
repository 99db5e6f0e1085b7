"""The tables of a finished run on a few literal rows, and the call that makes its report."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from sourcewise import tables
from sourcewise.__main__ import main
from sourcewise.tables import (
    Contamination,
    Example,
    Message,
    Perplexity,
    Query,
    Reject,
    Response,
    Verdict,
)
from sourcewise.text import query_id

Numbers = dict[str, Any]


def query(text: str, category: str = "math", source: str = "sums") -> Query:
    messages = [Message("user", text)]
    return Query(query_id(messages), source, category, messages, '{"answer": "4"}', "CC0")


def response(of: Query, attempt: int, model: str, text: str = "<answer>4</answer>") -> Response:
    return Response(of.query_id, attempt, model, text, "stop", 10 * attempt, 5, 1, "vllm", "r1")


def verdict(of: Query, attempt: int, value: float | None, status: str = "scored") -> Verdict:
    return Verdict(of.query_id, attempt, status, value, "said 4", "math", "1")


def reject(of: Query, by: str, reason: str) -> Reject:
    return Reject(of.query_id, of.source, by, reason, "")


QUERIES = [query(f"What is {n} plus {n}?") for n in range(8)]
QUESTIONS = [query(f"Held out {n}") for n in range(20)]
REMOVED = query("What is 99 plus 1?")
# Of four samples, how many each student gets right on each of 20 questions.
RIGHT = {"good": [4] * 18 + [2] * 2, "poor": [1] * 10 + [0] * 10, "base": [0] * 20}


@dataclasses.dataclass
class Tree:
    """The data of a finished run, and the parameters that made it."""

    root: Path
    imported: dict[str, Any] | None = None
    audit: Path | None = None
    forecast: Path | None = None

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def metrics(self) -> Path:
        return self.root / "metrics"

    @property
    def plots(self) -> Path:
        return self.root / "plots"

    def sections(self) -> Numbers:
        teacher = {"revision": "r1", "wrap": {"rule": "none"}, "engine": "vllm", "model": "m",
                   "sampling": {"temperature": 1.0, "top_p": 1.0, "max_tokens": 64}}  # fmt: skip
        if self.imported is not None:
            teacher = {"revision": "r1", "wrap": {"rule": "none"}, "import": self.imported}
        dataset = {"teachers": ["good"], "min_score": 0.9, "solved_by": [], "filters": ["length"],
                   "lengths_of": None, "max_examples": None, "seed": 1}  # fmt: skip
        origin = {"category": "math", "licence": "CC0",
                  "synthetic": {"task": "arithmetic", "n": 20, "seed": 1}}  # fmt: skip
        benchmark = {"queries": origin, "samples": 4, "suffix": "", "max_tokens": None}
        return {
            "seed": 7,
            "report": {
                "confidence": 0.95, "resamples": 1000, "reference": "base", "title": "A & B",
                "audit": str(self.audit) if self.audit else None,
                "forecast": str(self.forecast) if self.forecast else None,
            },
            "distill": {"max_attempts": 2, "stop_score": 0.9, "futility": None},
            "teachers": {"good": teacher, "poor": teacher | {"revision": "r2"}},
            "datasets": {"good": dataset, "poor": dataset | {"teachers": ["poor"]}},
            "students": {
                "good": {"dataset": "good", "seed": 1},
                "poor": {"dataset": "poor", "seed": 1},
                "base": {"dataset": None, "seed": 1},
            },
            "benchmarks": {
                "exam": benchmark | {"graded": True}, "only_a_target": benchmark | {"graded": False}
            },
            "others": {"train": {"base": "models/base"}},
        }  # fmt: skip

    def json(self, path: str, content: object) -> None:
        target = self.data / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(content))

    def report(self) -> tuple[str, Numbers]:
        arguments = ["report"]
        for name, section in self.sections().items():
            arguments += [f"--{name}", json.dumps(section)]
        page, summary = self.root / "index.html", self.root / "summary.json"
        arguments += ["--data", str(self.data), "--out", str(page), "--summary", str(summary)]
        main([*arguments, "--metrics", str(self.metrics), "--plots", str(self.plots)])
        return page.read_text(), json.loads(summary.read_text())


def write_corpus(tree: Tree, queries: list[Query], *, removed: list[Query]) -> None:
    folder = tree.data / "queries"
    unreadable = [Reject("", "sums", "collect", "malformed_row", "sums.jsonl:3")] if removed else []
    tables.write(folder / "collected/sums.parquet", Query, [*queries, *removed])
    tables.write(folder / "collected/sums.rejects.parquet", Reject, unreadable)
    tables.write(folder / "clean/0000.rejects.parquet", Reject, [])
    tables.write(folder / "corpus/0000.parquet", Query, queries)
    tables.write(
        folder / "corpus/0000.rejects.parquet",
        Reject,
        [reject(one, "decontaminate", "embedding") for one in removed],
    )
    evidence = [
        Contamination(one.query_id, "sums", "exam", "i1", "embedding", 0.97, "What is 99 plus 1?",
                      "What is 99 plus one?")
        for one in removed
    ]  # fmt: skip
    tables.write(folder / "corpus/0000.contamination.parquet", Contamination, evidence)
    tree.json("queries/manifest.json", {"shards": ["0000"], "sources": ["sums"]})


def write_teacher(tree: Tree, name: str, rounds: list[list[Verdict]]) -> None:
    folder = tree.data / "distill" / name
    by_id = {one.query_id: one for one in QUERIES}
    for attempt, verdicts in enumerate(rounds, start=1):
        answers = [response(by_id[one.query_id], attempt, name) for one in verdicts]
        tables.write(folder / f"round-{attempt}/0000.responses.parquet", Response, answers)
        tables.write(folder / f"round-{attempt}/0000.verdicts.parquet", Verdict, verdicts)
    accepted = [v for verdicts in rounds for v in verdicts if v.score == 1.0]
    rows = [Perplexity(v.query_id, v.attempt, "scorer", 2.5, 10) for v in accepted]
    tables.write(folder / "perplexity/0000.parquet", Perplexity, rows)
    manifest = {"teacher": name, "attempts": len(rounds), "shards": ["0000"]}
    tree.json(f"distill/{name}/manifest.json", manifest)


def write_dataset(tree: Tree, name: str, taken: list[Query], rejects: list[Reject]) -> None:
    folder = tree.data / "datasets" / name
    examples = [
        Example(one.query_id, one.category, name, one.messages, 12, 1, 1.0, 2.5) for one in taken
    ]
    tables.write(folder / "examples.parquet", Example, examples)
    selected = [one for one in rejects if one.by == "select"]
    tables.write(folder / "select-rejects.parquet", Reject, selected)
    tables.write(folder / "rejects.parquet", Reject, [one for one in rejects if one.by != "select"])


def write_student(tree: Tree, name: str, grades: list[Verdict], losses: str = "") -> None:
    by_id = {one.query_id: one for one in QUESTIONS}
    samples = [response(by_id[grade.query_id], grade.attempt, name) for grade in grades]
    folder = tree.data / "benchmarks" / name
    tables.write(folder / "exam.samples.parquet", Response, samples)
    tables.write(folder / "exam.grades.parquet", Verdict, grades)
    tree.json(f"students/{name}/training.json", {"student": name, "steps": 2, "trained": True})
    folder = tree.data / "students" / name
    (folder / "loss.csv").write_text(f"step,epoch,loss,grad_norm,learning_rate,tokens\n{losses}")
    speeds = "1,0.5,200.0,\n2,0.4,250.0,\n" if losses else ""
    (folder / "speed.csv").write_text(f"step,seconds,tokens_per_second,mfu\n{speeds}")


def graded(name: str) -> list[Verdict]:
    return [
        verdict(question, attempt, float(attempt <= right))
        for question, right in zip(QUESTIONS, RIGHT[name], strict=True)
        for attempt in range(1, 5)
    ]
