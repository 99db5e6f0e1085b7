"""One finished run of the test preset, shared by all tests of the DAG."""

import pytest

from working_copy import Copy, copy_of


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file first: whoever takes it has nothing else left to do at the end."""
    items.sort(key=lambda item: item.path.stem != "test_kills")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy in which plain Snakemake ran everything from nothing; a test that edits takes a `twin`."""
    copy = copy_of(tmp_path_factory.mktemp("runs") / "snakemake")
    copy.call("snakemake --cores 2")
    return copy
