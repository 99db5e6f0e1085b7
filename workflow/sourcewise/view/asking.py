"""How pages ask Parquet tables: duckdb over the files where they lie; nothing is loaded, kept or written."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from sourcewise.tables import Message

Row = TypeVar("Row")
# One question at a time has the machine's cores; this bounds what it may hold of a table.
MEMORY = "2GB"


class Tables:
    """Answers questions to Parquet files below one folder, and to no other file.

    Safe to share between threads: each question has a cursor of its own. Raises duckdb.Error where a file is
    damaged or gone since it was listed.
    """

    def __init__(self, folder: Path) -> None:
        import duckdb  # a fifth of a second that no other command should wait

        self._connection = duckdb.connect()
        # A file that vanished, or another's path in a table, must not make the engine look elsewhere.
        for setting in (
            f"memory_limit = '{MEMORY}'",
            "autoinstall_known_extensions = false",
            "autoload_known_extensions = false",
            "allow_community_extensions = false",
            "temp_directory = ''",
            f"allowed_directories = ['{_quoted(folder)}']",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            self._connection.execute(f"SET {setting}")

    def ask(self, question: str, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows that answer an SQL question; values come in by `?` only."""
        with self._connection.cursor() as cursor:
            return cursor.execute(question, arguments).fetchall()

    def of_query(self, row: type[Row], files: Sequence[str], query_id: str) -> list[Row]:
        """The rows of one query in tables of one kind, in the order of the files."""
        if not files:
            return []
        names = [f'"{field.name}"' for field in dataclasses.fields(row)]  # type: ignore[arg-type]
        # Tables are sorted by query_id, or nearly, so that few of their row groups are read.
        found = self.ask(
            f"SELECT {', '.join(names)} FROM read_parquet(?) WHERE query_id = ?",
            [list(files), query_id],
        )
        return [row(*map(_value, values)) for values in found]


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return [Message(**turn) for turn in value]
    return value


def _quoted(folder: Path) -> str:
    return str(folder).replace("'", "''")
