"""The trace browser at benchmarks: what every student answered to a question, side by side."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from finished_run import QUERIES, QUESTIONS, finished, graded, response
from sourcewise import tables
from sourcewise.tables import Query, Response, Verdict
from sourcewise.view.exporting import export
from sourcewise.view.pages import FIRST_SAMPLES
from sourcewise.view.site import Site

EDGE = QUESTIONS[18]  # `good` has two of four samples right there, the others none.


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = finished(tmp_path_factory.mktemp("sampled") / "copy")
    (made.root / "params.yaml").write_text(yaml.safe_dump(made.sections()))
    return made.root


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """One that a test may change."""
    return Path(shutil.copytree(root, tmp_path / "copy"))


def page(root: Path, target: str) -> str:
    answer = Site(root).answer(target)
    assert answer.status == 200, answer.page
    return answer.page


def test_a_question_shows_all_students_samples_side_by_side(root: Path) -> None:
    shown = page(root, f"/query/{EDGE.query_id}")
    assert "What the students answered at exam" in shown
    found = re.findall(r"</span>(\w+)\n<small>(\d of \d correct)", shown)
    assert found == [
        ("base", "0 of 4 correct"),
        ("good", "2 of 4 correct"),
        ("poor", "0 of 4 correct"),
    ]
    assert (
        shown.count('aria-label="good-exam, sample ') == 4 + 4
    )  # The article, and the answer in it.
    assert "question of exam" in shown
    assert 'href="/benchmarks?name=exam"' in shown


def test_samples_carry_verdict_detail_and_address_as_attempts_do(root: Path) -> None:
    shown = page(root, f"/query/{EDGE.query_id}")
    article = shown[shown.index('id="good-exam-1"') :].partition("</article>")[0]
    assert "correct" in article
    assert "said 4" in article
    assert "ended by stop" in article
    assert "&lt;answer&gt;4&lt;/answer&gt;" in article


def test_many_samples_are_shown_when_asked_for(copy: Path) -> None:
    folder = copy / "data/benchmarks/good"
    n = FIRST_SAMPLES + 3
    tables.write(folder / "exam.samples.parquet", Response,
                 [response(EDGE, attempt, "good") for attempt in range(1, n + 1)])  # fmt: skip
    shown = page(copy, f"/query/{EDGE.query_id}")
    assert f'id="good-exam-{FIRST_SAMPLES}"' in shown
    assert f'id="good-exam-{n}"' not in shown
    assert f"2 of {n} correct" in shown
    assert f'id="good-exam-{n}"' in page(copy, f"/query/{EDGE.query_id}?samples=all")


def test_a_sample_that_is_not_graded_yet_says_so(copy: Path) -> None:
    folder = copy / "data/benchmarks/good"
    rest = [one for one in graded("good") if one.query_id != EDGE.query_id]
    tables.write(folder / "exam.grades.parquet", Verdict, rest)
    assert page(copy, f"/query/{EDGE.query_id}").count("not judged yet") == 4


def test_a_benchmark_lists_what_students_differ_about_first(root: Path) -> None:
    assert 'href="/benchmarks?name=exam"' in page(root, "/benchmarks")
    shown = page(root, "/benchmarks?name=exam")
    rows = re.findall(r"<tr><td>.*?</tr>", shown, flags=re.DOTALL)
    assert len(rows) == 20
    shares = [re.findall(r"(\d) of 4", row) for row in rows]
    # Students in the order of their folders: base, good, poor.
    assert shares[0] == ["0", "4", "1"] or shares[0] == ["0", "4", "0"]
    assert shares[-1] == ["0", "2", "0"]


def test_a_question_that_a_source_copied_shows_both(copy: Path) -> None:
    tables.write(copy / "data/benchmark_queries/exam/queries.parquet", Query, [QUERIES[0]])
    shown = page(copy, f"/query/{QUERIES[0].query_id}")
    assert "question of exam" in shown
    assert 'id="good-1"' in shown


def test_hostile_samples_are_text(copy: Path) -> None:
    attack = "</pre><script>alert(1)</script>"
    folder = copy / "data/benchmarks/good"
    rows = [response(EDGE, 1, "good", attack)]
    tables.write(folder / "exam.samples.parquet", Response, rows)
    assert "<script" not in page(copy, f"/query/{EDGE.query_id}")


def test_a_benchmark_that_is_not_there_is_named(root: Path) -> None:
    answer = Site(root).answer("/benchmarks?name=../../etc")
    assert answer.status == 400
    assert "there is no benchmark" in answer.page
    assert Site(root).answer("/benchmarks?name=exam&first=x").status == 400


def test_a_copy_without_benchmarks_says_so(copy: Path) -> None:
    for folder in ("benchmarks", "benchmark_queries"):
        shutil.rmtree(copy / "data" / folder)
    assert "No benchmark has been read yet" in page(copy, "/benchmarks")


def test_an_export_links_no_page_that_it_does_not_hold(root: Path, tmp_path: Path) -> None:
    export(root, tmp_path / "pages", sample=3, seed=1, conditions={})
    for file in (tmp_path / "pages").iterdir():
        assert "/benchmarks" not in file.read_text()
