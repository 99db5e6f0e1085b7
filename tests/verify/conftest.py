"""The judge that several tests of this folder script."""

import pytest
from scripted import server

from sourcewise.grading import endpoint

__all__ = ["server"]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question is asked again at once."""
    monkeypatch.setattr(endpoint, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(endpoint, "LONGEST_PAUSE", 0.05)
