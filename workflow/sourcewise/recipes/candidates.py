"""What every filter takes and gives; `sourcewise.filters` holds one file per filter, named as in params.yaml.

A filter is `prepare(spec, candidates, items) -> check`. `candidates()` is a fresh pass over what earlier
filters left, for filters that must see the dataset as a whole; `items` are what the benchmarks ask, for
those that look for it, else none; `check` then judges one candidate and returns None to keep it, or a
Drop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping

from sourcewise.drop import Drop
from sourcewise.tables import Query, Response


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A selected response with its query; `perplexities` are by scorer, the first scorer's first."""

    query: Query
    response: Response
    score: float | None
    perplexities: Mapping[str, float]

    @property
    def perplexity(self) -> float | None:
        """That of the first scorer; None where none was computed."""
        return next(iter(self.perplexities.values()), None)


Check = Callable[[Candidate], Drop | None]
Candidates = Callable[[], Iterator[Candidate]]
