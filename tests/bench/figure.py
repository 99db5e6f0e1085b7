"""One line of a benchmark's table: what was measured, beside its limit or peer."""

from __future__ import annotations

from typing import NamedTuple


class Figure(NamedTuple):
    """`ours` and `peer` (or limit) as printed; `ok` says whether the issue's target is met, None if none."""

    what: str
    ours: str
    peer: str
    target: str
    ok: bool | None
