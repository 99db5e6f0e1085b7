"""What else is published of a benchmark's questions: a list of those that are wrong, and other copies."""

from __future__ import annotations

import json
from pathlib import Path

from sourcewise.corpus import columns, turns
from sourcewise.corpus.copies import Item, disagreements
from sourcewise.corpus.reading import Row, pick, rows
from sourcewise.params.queries import Copy, Questions
from sourcewise.tables import Erratum, Query
from sourcewise.text import query_text


class Published:
    """Questions as they are read, to be set against errata and copies when all are there."""

    def __init__(self, origin: Questions) -> None:
        self._origin = origin
        self._reasons = _reasons(origin.errata.file) if origin.errata else {}
        self._items: list[Item] = []
        self.errata: dict[str, Erratum] = {}

    def add(self, place: str, query: Query, row: Row) -> None:
        """Takes one question in; raises KeyError where its row lacks a column that errata go by."""
        if self._origin.copies:
            text = query_text(query.messages)
            self._items.append(Item(query.query_id, place, text, query.reference))
        for column in self._origin.errata.columns if self._origin.errata else ():
            named = str(pick(row, column))
            if named in self._reasons:
                found = Erratum(query.query_id, named, self._reasons[named])
                self.errata[query.query_id] = found

    def disagreements(self) -> list[str]:
        """Where copies disagree with these questions, those among the errata left out."""
        return [
            f"copy {name!r}: {said}"
            for name, copy in self._origin.copies.items()
            for item, said in disagreements(self._items, _copied(copy, self._origin.category))
            if item.query_id not in self.errata
        ]


def _copied(copy: Copy, category: str) -> list[Item]:
    found = []
    for file in copy.files:
        for place, row in rows(Path(file)):
            text = query_text(turns.messages(row, copy.columns))
            reference = columns.reference(row, copy.columns, category)
            found.append(Item("", f"{file}:{place}", text, reference))
    return found


def _reasons(file: str) -> dict[str, str]:
    """Why questions are wrong, by their name, from a JSON file; raises ValueError that names it."""
    if not Path(file).is_file():
        raise FileNotFoundError(f"{file} does not exist: correct the key 'errata'")
    try:
        known = json.loads(Path(file).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is not JSON: {error}") from None
    if not isinstance(known, dict) or not all(isinstance(why, str) for why in known.values()):
        raise ValueError(f'{file} does not map questions to reasons: write {{"question": "why"}}')
    return known
