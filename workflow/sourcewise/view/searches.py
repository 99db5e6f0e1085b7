"""What a reader looks for, read off an address and checked against what the copy holds."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sourcewise.tables import STATUSES
from sourcewise.view.catalogue import Catalogue

MOST_CHARACTERS = 1000
# What the teachers asked made of a query: the choice, and how it reads.
ACCEPTED = {
    "every": "by every teacher asked",
    "some": "by at least one",
    "split": "by some, not by others",
    "none": "by none",
}


@dataclass(frozen=True)
class Search:
    """What is looked for, as the URL says it; "" is no condition.

    `text` holds words, "phrases" or the first 8 digits and more of a query_id; all must be there. `dataset` is
    a dataset whose examples hold the query, or, after `-`, do not. `after` is SHARD:QUERY_ID of the last
    query seen.
    """

    text: str = ""
    category: str = ""
    source: str = ""
    teacher: str = ""
    status: str = ""
    accepted: str = ""
    dataset: str = ""
    after: str = ""

    def conditions(self) -> dict[str, str]:
        """What the URL must say to ask the same from the beginning."""
        pairs = dataclasses.asdict(self).items()
        return {name: value for name, value in pairs if value and name != "after"}


def parsed(given: Mapping[str, str], held: Catalogue) -> Search:
    """The search that a URL asks for; raises ValueError for what the copy does not know."""
    fields = [field.name for field in dataclasses.fields(Search)]
    for name in given:
        if name not in fields:
            raise ValueError(f"{name!r} is nothing to search by: choose from {', '.join(fields)}")
    search = Search(**{name: value.strip() for name, value in given.items()})
    datasets = [one.name for one in held.datasets]
    choices: dict[str, Sequence[str]] = {
        "teacher": [one.name for one in held.teachers],
        "status": STATUSES,
        "accepted": list(ACCEPTED),
        "dataset": [*datasets, *(f"-{name}" for name in datasets)],
    }
    for name, known in choices.items():
        value = getattr(search, name)
        if value and value not in known:
            there = ", ".join(known) or "none yet"
            raise ValueError(f"there is no {name} {value!r} here: {there}")
    if len(search.text) > MOST_CHARACTERS:
        raise ValueError(f"a search takes at most {MOST_CHARACTERS:,} characters of text")
    if search.after and not re.fullmatch(r"[\w-]+:[0-9a-f]{32}", search.after):
        raise ValueError(f"after={search.after!r} is no place: go back to the first page")
    return search
