"""The runs that the tests of the report read."""

from pathlib import Path

import pytest
from hypothesis import settings

from finished_run import (
    RIGHT,
    Tree,
    finished,
    write_corpus,
    write_dataset,
    write_student,
    write_teacher,
)

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file first, which waits more than it computes: the others run beside it."""
    items.sort(key=lambda item: item.path.stem != "test_services")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Two teachers, two datasets, two students and the base; one query removed as contaminated."""
    return finished(tmp_path)


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
