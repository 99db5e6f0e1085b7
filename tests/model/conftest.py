"""No test asks a hub: its client reads this at its import, and without a network tries for a minute."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model to train, built once for each file."""
    import tiny_qwen

    return tiny_qwen.build(tmp_path_factory.mktemp("untied") / "base")
