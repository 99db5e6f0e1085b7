"""The runs that the tests of the report read."""

from pathlib import Path

import pytest
from hypothesis import settings

from finished_run import (
    QUERIES,
    REMOVED,
    RIGHT,
    Tree,
    graded,
    reject,
    verdict,
    write_corpus,
    write_dataset,
    write_student,
    write_teacher,
)

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


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
        write_student(
            made,
            name,
            graded(name),
            "" if name == "base" else "1,0.5,2.0,3.0,1e-4,100\n2,1,1,4.0,0,100",
        )
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
