"""The test Slurm, for as long as the tests of this folder run; skipped where it cannot be, but in CI."""

import os
from collections.abc import Iterator

import pytest

from cluster import Cluster, missing, obstacle, running
from served import served
from submitted import FIRST_ROUND, use_accounts
from teacher_server import serving
from working_copy import Copy

# The second lane, `make test-slurm`: with slurmdbd and MariaDB, as real clusters have them.
ACCOUNTING = "SOURCEWISE_SLURM_ACCOUNTING"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    accounting = bool(os.environ.get(ACCOUNTING))
    if said := missing(accounting=accounting):
        # Whoever asks for the second lane wants it to run.
        (pytest.fail if accounting or os.environ.get("SOURCEWISE_CI") else pytest.skip)(said)
    if said := obstacle():
        pytest.skip(said)
    with running(accounting=accounting) as started:
        yield started


@pytest.fixture
def accounts(cluster: Cluster) -> None:
    """For what only a cluster with accounts survives, or what takes minutes."""
    if not cluster.accounting:
        pytest.skip(f"part of the longer lane: make test-slurm (sets {ACCOUNTING})")


@pytest.fixture(scope="session")
def corpus(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy with a corpus for a teacher behind a server, who was not asked yet."""
    copy = served(tmp_path_factory.mktemp("corpus") / "copy")
    use_accounts(copy, accounting=cluster.accounting)
    copy.call("snakemake --cores 2 -- queries")
    return copy


@pytest.fixture(scope="session")
def alone(corpus: Copy, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy whose first round was asked on this machine, undisturbed."""
    copy = corpus.twin(tmp_path_factory.mktemp("alone") / "copy")
    with pytest.MonkeyPatch.context() as patch, serving(delay=0.0) as server:
        patch.setenv("SOURCEWISE_SERVER_URLS", server.url)
        copy.call(f"snakemake --cores 2 -- {' '.join(map(str, FIRST_ROUND))}")
    return copy
