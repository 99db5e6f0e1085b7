"""One finished run of the test preset, shared by all tests of the DAG."""

import fcntl
import os
import shutil

import pytest

from working_copy import Copy, copy_of


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file first: whoever takes it has nothing else left to do at the end."""
    items.sort(key=lambda item: item.path.stem != "test_kills")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy in which plain Snakemake ran everything from nothing; a test that edits takes a `twin`.

    The first worker of pytest-xdist makes it; each has a twin of its own.
    """
    base = tmp_path_factory.getbasetemp()
    room = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    first, done = Copy(room / "first"), room / "first.done"
    with (room / "first.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            # What a worker left behind whose run failed.
            shutil.rmtree(first.folder, ignore_errors=True)
            copy_of(first.folder).call("snakemake --cores 2")
            done.touch()
    return first.twin(base / "made")
