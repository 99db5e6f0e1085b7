"""Each figure has its numbers beside it, and each analysis says what its definition says."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from finished_run import QUERIES, Tree, verdict, write_teacher
from sourcewise.report import analyses, paper
from sourcewise.report.analyses import diversity, hardness, spans
from sourcewise.report.teachers import CATEGORIES, Queries, TeacherNumbers

PARAMETERS = {
    "teachers": {
        "am": {"model": "a-m-team/AM-Thinking-v1"},
        "qwen": {"import": {"hub": {"repo": "a-m-team/AM-Qwen3-Distilled"}}},
        "r1": {"model": "deepseek-ai/DeepSeek-R1"},
        "mine": {"model": "models/mine"},
    },
    "filters": {
        "perplexity": {"filter": "perplexity", "per_teacher": {"am": 5.0}},
        "common": {"filter": "perplexity", "max": 20.0},
        "ngram": {"filter": "ngram"},
        "structure": {"filter": "structure"},
    },
    "train": {"base": "Qwen/Qwen2.5-32B"},
    "benchmarks": {
        "aime": {"queries": {"hub": {"repo": "HuggingFaceH4/aime_2024"}}},
        "own": {"queries": {"files": ["own.jsonl"]}},
    },
}


def rows(tree: Tree, name: str) -> list[dict[str, str]]:
    with (tree.root / "figures" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def numbers(name: str, attempts: list[list[tuple[float | None, int, str]]]) -> TeacherNumbers:
    """A teacher from its attempts at each query: score, tokens and finish_reason; one shard of mathematics."""
    n = len(attempts)
    ids = [f"{i:032x}" for i in range(n)]
    found = TeacherNumbers(name, 0.9)
    rounds = []
    for k in range(max(map(len, attempts))):
        own = [(ids[i], *of[k]) for i, of in enumerate(attempts) if len(of) > k]
        columns = [list(column) for column in zip(*own, strict=True)]
        status = ["scored" if score is not None else "unavailable" for score in columns[1]]
        scores = pa.array(columns[1], pa.float64())
        verdicts = pa.table({"query_id": columns[0], "status": status, "score": scores})
        responses = {"query_id": columns[0], "n_tokens": columns[2], "finish_reason": columns[3]}
        rounds.append((verdicts, pa.table(responses)))
    empty = {"query_id": pa.array([], pa.string()), "attempt": pa.array([], pa.int64()),
             "perplexity": pa.array([], pa.float64())}  # fmt: skip
    categories = np.full(n, CATEGORIES.index("math"), np.int8)
    found.add(Queries(pa.array(ids), categories), rounds, pa.table(empty))
    return found


RIGHT, WRONG, CUT = (1.0, 10, "stop"), (0.0, 30, "stop"), (0.0, 64, "length")
UNJUDGED = (None, 20, "stop")


def test_every_figure_links_a_file_with_its_numbers(tree: Tree) -> None:
    page, _ = tree.report()
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page, flags=re.DOTALL)
    assert len(captions) == page.count("<figure") >= 8
    for caption in captions:
        said, _, link = caption.partition(' <a href="figures/')
        assert len(said.split()) > 2
        assert rows(tree, link.partition(".csv")[0])


def test_the_files_hold_what_the_summary_says(tree: Tree) -> None:
    _, summary = tree.report()
    scores = {(row["benchmark"], row["student"]): row for row in rows(tree, "scores")}
    assert float(scores["exam", "good"]["score"]) == summary["scores"]["exam"]["good"]["score"]
    assert [row["accepted"] for row in rows(tree, "acceptance")] == ["0.75", "0.875", "0", "0"]
    lengths = rows(tree, "lengths")
    assert sum(int(row["responses"]) for row in lengths) == summary["teachers"]["good"]["accepted"]
    quartiles = rows(tree, "length_quartiles")
    assert [(row["median"], row["responses"]) for row in quartiles] == [("10", "7")]
    removed = [row for row in rows(tree, "rows") if row["dataset"] == "good"]
    assert removed[0]["left"] == "8"
    assert removed[-1] == {"dataset": "good", "step": "examples", "left": "5", "removed": "0"}


def test_a_file_of_a_figure_that_is_gone_goes_too(tree: Tree) -> None:
    stale = tree.root / "figures/stale.csv"
    stale.parent.mkdir()
    stale.write_text("old")
    tree.report()
    assert not stale.exists()


def test_tables_without_rows_leave_files_without_rows(empty: Tree) -> None:
    empty.report()
    files = list((empty.root / "figures").iterdir())
    assert len(files) == 16
    # Students and rounds are there, without a number; so are the steps of the waterfalls.
    assert {path.stem for path in files if path.read_text()} == {
        "scores",
        "acceptance",
        "outcomes",
        "rows",
    }


def test_difficulty_is_how_the_other_teachers_fared() -> None:
    one = numbers("one", [[RIGHT], [WRONG, WRONG], [RIGHT], [UNJUDGED]])
    two = numbers("two", [[WRONG, RIGHT], [RIGHT], [UNJUDGED], [UNJUDGED]])
    three = numbers("three", [[WRONG, WRONG], [WRONG, WRONG], [RIGHT], [UNJUDGED]])
    teachers = [one, two, three]
    # For `one`: 3 of 4 attempts of the others failed at the first query, 2 of 3 at the second.
    found = analyses.difficulty(teachers, one)
    assert found[:3].tolist() == pytest.approx([3 / 4, 2 / 3, 0])
    assert np.isnan(found[3])
    # Its own failures at the second query make it no harder.
    better = numbers("one", [[RIGHT], [RIGHT], [RIGHT], [UNJUDGED]])
    assert analyses.difficulty([better, two, three], better)[:3].tolist() == found[:3].tolist()


def test_acceptance_and_length_by_difficulty_keep_cut_attempts_apart() -> None:
    easy, hard = [RIGHT] * 30, [WRONG] * 30
    other = numbers("other", [[one] for one in easy + hard])
    own = numbers("own", [[RIGHT]] * 30 + [[CUT]] * 10 + [[WRONG]] * 20)
    found = {(one.teacher, one.level): one for one in hardness([own, other], 0.95)}
    assert found["own", "none failed"].accepted.value == 1.0
    most = found["own", "all failed"]
    assert (most.queries, most.accepted.value, most.cut) == (30, 0.0, pytest.approx(1 / 3))
    assert most.quartiles == (30.0, 30.0, 30.0)
    # `own` is right at these, so they are easy for the other one.
    assert found["other", "none failed"].accepted.value == 1.0


def test_a_teacher_alone_and_few_queries_have_no_difficulty() -> None:
    alone = numbers("alone", [[RIGHT]] * 50)
    assert hardness([alone], 0.95) == []
    few = [numbers(name, [[RIGHT]] * (analyses.FEWEST - 1)) for name in "ab"]
    assert hardness(few, 0.95) == []


def test_spans_are_the_papers_open_below_and_closed_above() -> None:
    tokens = [1, 1024, 1025, 10240, 10241, 40000]
    teacher = numbers("t", [[(1.0, n, "stop")] for n in tokens])
    (found,) = spans([teacher])
    assert found.counts == (2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2)


def test_diversity_is_measured_on_equal_numbers_of_words() -> None:
    varied = [" ".join(f"w{i}x{j}" for j in range(40)) for i in range(20)]
    texts = {"varied": varied, "copied": ["the same eight words again and again here"] * 200}
    found = {one.teacher: one for one in diversity(texts)}
    assert found["varied"].words == found["copied"].words == 800
    assert found["varied"].distinct == 1.0
    assert found["copied"].distinct == pytest.approx(5 / 500)
    assert diversity({"a": ["a few words"], "b": ["some others here"]}) == []
    assert found["varied"].compression < 4 < found["copied"].compression


def test_texts_are_compared_on_queries_that_every_teacher_solved(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analyses, "FEWEST_WORDS", 1)
    # `poor` solves two of them, one at its second attempt; `good` solved both before.
    first = [verdict(one, 1, float(n == 1)) for n, one in enumerate(QUERIES)]
    second = [verdict(one, 2, float(n == 2)) for n, one in enumerate(QUERIES) if n != 1]
    write_teacher(tree, "poor", [first, second])
    tree.report()
    assert [(row["teacher"], row["responses"]) for row in rows(tree, "diversity")] == [
        ("good", "2"), ("poor", "2")
    ]  # fmt: skip


def _students(**changes: object) -> dict[str, object]:
    recipe = {"teachers": ["am"], "solved_by": ["am", "qwen", "r1"],
              "filters": ["perplexity", "ngram", "structure"]} | changes  # fmt: skip
    return PARAMETERS | {"datasets": {"d": recipe}, "students": {"s": {"dataset": "d"}}}


def test_the_papers_numbers_stand_beside_what_is_the_papers_only() -> None:
    assert paper.teachers(PARAMETERS) == {"am": paper.AM, "qwen": paper.QWEN3, "r1": paper.R1}
    assert paper.score(_students(), "s", "aime") == 0.843
    assert paper.score(_students(), "s", "own") is None
    for change in ({"solved_by": []}, {"teachers": ["mine"]}, {"teachers": ["am", "r1"]},
                   {"filters": ["common", "ngram", "structure"]}):  # fmt: skip
        assert paper.score(_students(**change), "s", "aime") is None
    other = _students() | {"train": {"base": "Qwen/Qwen2.5-7B"}}
    assert paper.score(other, "s", "aime") is None


def test_the_papers_table_is_what_the_paper_prints() -> None:
    for responses in paper.RESPONSES.values():
        assert len(responses) == len(paper.SPANS) + 1
        assert sum(responses) == pytest.approx(559_100, rel=1e-3)
    for scores in (paper.SCORES, paper.TOKENS):
        assert all(set(of) == {paper.AM, paper.QWEN3, paper.R1} for of in scores.values())


def test_the_preset_of_the_paper_is_recognised_as_the_papers() -> None:
    from sourcewise.params.root import load

    preset = Path(__file__).resolve().parents[2] / "workflow/presets/paper.yaml"
    parameters = load(preset).model_dump(mode="json", by_alias=True)
    assert paper.score(parameters, "am_thinking_v1", "aime24") == 0.843
    assert paper.score(parameters, "deepseek_r1", "livecodebench") == 0.570
    assert paper.score(parameters, "deepseek_r1_unverified", "aime24") is None
    assert paper.score(parameters, "am_common_perplexity", "aime24") is None
