"""The report on small tables: what it says, what it refuses to say, and that it always can be made."""

import dataclasses
import json
import re
from xml.etree import ElementTree

import pytest

from finished_run import (
    QUERIES,
    REMOVED,
    Tree,
    split_into_shards,
    verdict,
    write_corpus,
    write_teacher,
)
from sourcewise import tables
from sourcewise.tables import Contamination, Message


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
    # Links lead to the files beside the page; nothing is fetched before a reader follows one.
    page = re.sub(r'href="figures/[a-z_]+\.csv"', "", page)
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
    with pytest.raises(SystemExit, match=r"students/good/training\.json does not exist"):
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
    with pytest.raises(SystemExit, match=r"released\.jsonl:1: column 'note.ok' holds 'maybe'"):
        published.report()


def test_a_teacher_asked_what_is_not_in_the_corpus_is_an_error(tree: Tree) -> None:
    write_corpus(tree, QUERIES[1:], removed=[REMOVED])
    with pytest.raises(SystemExit, match=r"teacher good was asked 1 queries that the corpus does"):
        tree.report()


def test_tables_of_many_shards_and_row_groups_are_one_corpus(tree: Tree) -> None:
    """The same rows in shards of their own give the same numbers."""
    _, before = tree.report()
    split_into_shards(tree)
    assert tree.report()[1] == before
