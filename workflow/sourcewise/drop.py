"""Why a row goes no further, as cleaning and filters say it."""

from __future__ import annotations

from typing import NamedTuple


class Drop(NamedTuple):
    """A reason as a short noun, and the value that decided."""

    reason: str
    value: str
