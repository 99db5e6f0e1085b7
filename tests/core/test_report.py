"""The report on small tables: what it says, what it refuses to say, and that it always can be made."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

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

    @property
    def data(self) -> Path:
        return self.root / "data"

    def sections(self) -> Numbers:
        teacher = {"revision": "r1", "wrap": {"rule": "none"}, "engine": "vllm", "model": "m",
                   "sampling": {"temperature": 1.0, "top_p": 1.0, "max_tokens": 64}}  # fmt: skip
        if self.imported is not None:
            teacher = {"revision": "r1", "wrap": {"rule": "none"}, "import": self.imported}
        dataset = {"teachers": ["good"], "min_score": 0.9, "solved_by": [], "filters": ["length"],
                   "max_examples": None, "seed": 1}  # fmt: skip
        origin = {"category": "math", "licence": "CC0",
                  "synthetic": {"task": "arithmetic", "n": 20, "seed": 1}}  # fmt: skip
        benchmark = {"queries": origin, "samples": 4, "suffix": "", "max_tokens": None}
        return {
            "seed": 7,
            "report": {
                "confidence": 0.95, "resamples": 1000, "reference": "base", "title": "A & B"
            },
            "distill": {"max_attempts": 2, "stop_score": 0.9},
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
        main([*arguments, "--data", str(self.data), "--out", str(page), "--summary", str(summary)])
        return page.read_text(), json.loads(summary.read_text())


def write_corpus(tree: Tree, queries: list[Query], *, removed: list[Query]) -> None:
    folder = tree.data / "queries"
    unreadable = [Reject("", "sums", "collect", "malformed_row", "sums.jsonl:3")] if removed else []
    tables.write(folder / "collected/sums.parquet", Query, [*queries, *removed])
    tables.write(folder / "collected/sums.rejects.parquet", Reject, unreadable)
    tables.write(folder / "clean/rejects.parquet", Reject, [])
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
    header = "step,epoch,loss,learning_rate\n"
    (tree.data / f"students/{name}/loss.csv").write_text(header + losses)


def graded(name: str) -> list[Verdict]:
    return [
        verdict(question, attempt, float(attempt <= right))
        for question, right in zip(QUESTIONS, RIGHT[name], strict=True)
        for attempt in range(1, 5)
    ]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Two teachers, two datasets, two students and the base; one query removed as contaminated."""
    made = Tree(tmp_path)
    write_corpus(made, QUERIES, removed=[REMOVED])
    passed = [verdict(one, 1, 1.0) for one in QUERIES[:6]]
    missed = [verdict(QUERIES[6], 1, 0.0), verdict(QUERIES[7], 1, None, "truncated")]
    second = [verdict(QUERIES[6], 2, 1.0), verdict(QUERIES[7], 2, None, "no_answer")]
    write_teacher(made, "good", [passed + missed, second])
    write_teacher(made, "poor", [[verdict(one, 1, 0.0) for one in QUERIES], []])
    write_dataset(made, "good", QUERIES[:5], [
        reject(QUERIES[7], "select", "unverified: no_answer"),
        reject(QUERIES[5], "length", "too_long"), reject(QUERIES[6], "length", "too_long"),
    ])  # fmt: skip
    write_dataset(made, "poor", [], [reject(one, "select", "below_min_score") for one in QUERIES])
    for name in RIGHT:
        write_student(made, name, graded(name), "" if name == "base" else "1,0.5,2.0,1e-4\n2,1,1,0")
    return made


@pytest.fixture
def empty(tmp_path: Path) -> Tree:
    """Every file exists and none has a row."""
    made = Tree(tmp_path)
    write_corpus(made, [], removed=[])
    for name in ("good", "poor"):
        write_teacher(made, name, [[], []])
        write_dataset(made, name, [], [])
    for name in RIGHT:
        write_student(made, name, [])
    return made


def test_the_summary_holds_the_numbers_of_the_tables(tree: Tree) -> None:
    _, summary = tree.report()
    assert summary["scores"]["exam"]["good"]["score"] == pytest.approx(0.95)
    assert summary["scores"]["exam"]["poor"]["samples"] == 80
    assert summary["pairs"]["exam"]["good over poor"]["difference"] == pytest.approx(0.825)
    assert summary["teachers"]["good"]["first"] == pytest.approx(0.75)
    assert summary["teachers"]["good"]["accepted"] == 7
    assert summary["teachers"]["poor"]["tokens_per_accepted"] is None
    assert summary["datasets"]["good"] == {
        "examples": 5, "tokens": 60, "mean_tokens": 12.0, "mean_perplexity": 2.5
    }  # fmt: skip
    assert summary["contaminated"] == 1


def test_the_answer_names_a_winner_with_its_interval(tree: Tree) -> None:
    page, summary = tree.report()
    assert summary["answer"].startswith("good scores 95.0 % on exam, 82.5 points above poor (95 %")
    assert summary["answer"].endswith("and is better than every other student on every benchmark.")
    assert "<b>good</b> scores" in page


def test_every_section_of_the_page_is_there_and_every_figure_is_well_formed(tree: Tree) -> None:
    page, _ = tree.report()
    for section in ("scores", "pairs", "teachers", "rows", "contamination", "datasets", "methods"):
        assert f'<section id="{section}">' in page
    figures = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(figures) >= 8
    for figure in figures:
        ElementTree.fromstring(figure)


def test_a_benchmark_that_is_only_a_target_is_not_reported(tree: Tree) -> None:
    page, summary = tree.report()
    assert list(summary["scores"]) == ["exam"]
    assert ">only_a_target<" not in page


def test_the_page_loads_nothing_from_anywhere(tree: Tree) -> None:
    page, _ = tree.report()
    assert not re.search(r"(src|href)\s*=\s*[\"']?[^\"'#]|url\(|@import|<script", page)
    assert len(page) < 3_000_000


def test_equal_tables_give_equal_bytes(tree: Tree) -> None:
    first = tree.report()
    assert tree.report() == first


def test_empty_tables_make_a_report_that_says_so(empty: Tree) -> None:
    page, summary = empty.report()
    assert summary["answer"] == "No student was measured, so there is no answer yet."
    assert summary["scores"]["exam"]["good"]["score"] is None
    assert summary["teachers"]["good"]["first"] is None
    assert page.count("no data") > 8


def test_a_missing_file_is_named(tree: Tree) -> None:
    (tree.data / "students/good/training.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"students/good/training\.json does not exist"):
        tree.report()


def test_text_of_models_and_queries_is_shown_as_text(tree: Tree) -> None:
    attack = dataclasses.replace(REMOVED, messages=[Message("user", "<script>alert(1)</script>")])
    evidence = [Contamination(attack.query_id, "sums", "exam", "i", "exact", 1.0,
                              attack.messages[0].content, "<img src=x>")]  # fmt: skip
    path = tree.data / "queries/corpus/0000.contamination.parquet"
    tables.write(path, Contamination, evidence)
    page, _ = tree.report()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert "<img" not in page


def test_every_removed_row_stands_in_a_waterfall(tree: Tree) -> None:
    page, _ = tree.report()
    for label in ("collect: malformed row", "decontaminate: embedding", "length: too long"):
        assert label in page
    assert "without a recorded reason" not in page


@pytest.fixture
def published(tree: Tree) -> Tree:
    """Teacher `good` is imported; its file says that query 0 is wrong, which we accepted."""
    told = [(one, n not in (0, 6, 7)) for n, one in enumerate(QUERIES)] + [(REMOVED, True)]
    rows = [{"ask": one.messages[0].content, "say": "4", "note": {"ok": ok}} for one, ok in told]
    file = tree.root / "released.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    tree.imported = {"files": [str(file)], "prompt": "ask", "response": "say", "attempts": 1,
                     "published": "note.ok"}  # fmt: skip
    write_teacher(tree, "poor", [[verdict(one, 1, 0.0) for one in QUERIES]])
    return tree


def test_a_disagreement_with_a_published_verdict_is_listed_with_its_texts(published: Tree) -> None:
    page, summary = published.report()
    assert summary["published"]["good"]["compared"] == 8
    assert summary["published"]["good"]["agreement"] == pytest.approx(7 / 8)
    # Query 0 (ours correct, theirs wrong); all that teacher poor missed and they accepted.
    assert summary["published"]["poor"]["disagreements"] == 5
    section = page[page.index('id="published"') : page.index('id="rows"')]
    assert "What is 0 plus 0?" in section
    assert "&lt;answer&gt;4&lt;/answer&gt;" in section
    assert "published: <b>wrong</b>" in section


def test_published_verdicts_on_removed_queries_are_counted_apart(published: Tree) -> None:
    page, _ = published.report()
    row = re.search(r'good\n<td class="n">87\.50.*?</tr>', page, flags=re.DOTALL)
    assert row is not None
    assert re.findall(r'"n">(\d+)', row.group())[-4:] == ["1", "0", "1", "9"]


def test_without_published_verdicts_the_section_is_left_out(tree: Tree) -> None:
    page, summary = tree.report()
    assert "Published verdicts" not in page
    assert summary["published"] == {}


def test_a_published_verdict_that_is_neither_true_nor_false_is_an_error(published: Tree) -> None:
    file = published.root / "released.jsonl"
    file.write_text('{"ask": "What is 0 plus 0?", "say": "4", "note": {"ok": "maybe"}}')
    with pytest.raises(ValueError, match=r"released\.jsonl:1: column 'note.ok' holds 'maybe'"):
        published.report()
