"""Values as data sets keep them."""

from __future__ import annotations

import json
from typing import Any


def parsed(value: Any) -> Any:
    """JSON that a data set keeps as a string; anything else as it is. Raises ValueError."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the reference is not JSON: {error}") from None


def wanted(row: Any, name: str, keys: tuple[str, ...]) -> list[Any]:
    """What a row has under each key; raises ValueError that names the format and what is missing."""
    if not isinstance(row, dict):
        raise ValueError(f"format {name!r} takes all columns of a row, not {type(row).__name__}")
    missing = [key for key in keys if key not in row]
    if missing:
        raise ValueError(f"no {missing[0]!r} for format {name!r}")
    return [row[key] for key in keys]
