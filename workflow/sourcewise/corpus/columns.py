"""The reference of a row of somebody else's data set, as its `columns` say."""

from __future__ import annotations

import json

from sourcewise.corpus.reading import Row, pick
from sourcewise.corpus.references import FORMATS
from sourcewise.params.queries import Columns


def reference(row: Row, columns: Columns, category: str) -> str:
    """The JSON that the category's verifier reads; "" where the row has no reference."""
    if not columns.has_reference:
        return "{}" if category == "dialogue" else ""
    value = row if columns.reference is None else pick(row, columns.reference)
    if value is None or value == "":
        raise ValueError(f"column {columns.reference!r} is empty")
    return json.dumps(FORMATS[columns.reference_format](value), ensure_ascii=True)
