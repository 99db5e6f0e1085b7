"""The test Slurm, for as long as the tests of this folder run; skipped where it cannot be, but in CI."""

import os
from collections.abc import Iterator

import pytest

from cluster import Cluster, missing, obstacle, running

# The second lane, `make test-slurm`: with slurmdbd and MariaDB, as real clusters have them.
ACCOUNTING = "SOURCEWISE_SLURM_ACCOUNTING"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    accounting = bool(os.environ.get(ACCOUNTING))
    if said := missing(accounting=accounting):
        (pytest.fail if os.environ.get("SOURCEWISE_CI") else pytest.skip)(said)
    if said := obstacle():
        pytest.skip(said)
    with running(accounting=accounting) as started:
        yield started


@pytest.fixture
def accounts(cluster: Cluster) -> None:
    """For what only a cluster with accounts survives, or what takes minutes."""
    if not cluster.accounting:
        pytest.skip(f"part of the longer lane: make test-slurm (sets {ACCOUNTING})")
