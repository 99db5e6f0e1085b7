"""The shards of the corpus: which exist, whose queries they hold and which of others they look at.

Shards belong to a source (`sources.NAME.shards: 3`), and other sources may join them
(`sources.OTHER.shards: NAME`). A source that is added with shards of its own touches no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sourcewise.params.queries import Source


@dataclass(frozen=True)
class Shard:
    """Shard `number` of the `n` of its sources, whose first gives it its name."""

    number: int
    n: int
    sources: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of its files; what follows the last hyphen is the number."""
        return f"{self.sources[0]}-{self.number:04d}"

    def meets(self, other: Shard) -> bool:
        """Whether a query may belong to either, by its digest alone: the ranges of both overlap."""
        return (
            self.number * other.n < (other.number + 1) * self.n
            and other.number * self.n < (self.number + 1) * other.n
        )


def shards(sources: Mapping[str, Source]) -> dict[str, Shard]:
    """All shards by name, in the order of their sources in params.yaml."""
    return {shard.name: shard for shard in _all(sources)}


def before(shard: Shard, known: Mapping[str, Shard]) -> list[str]:
    """The shards of the sources before a shard's that may hold a query which it would keep too."""
    places = list(dict.fromkeys(one.sources for one in known.values()))
    earlier = set(places[: places.index(shard.sources)])
    return [name for name, one in known.items() if one.sources in earlier and one.meets(shard)]


def _all(sources: Mapping[str, Source]) -> Iterator[Shard]:
    for name, source in sources.items():
        if isinstance(source.shards, int):
            joined = (other for other, one in sources.items() if one.shards == name)
            members = (name, *joined)
            for number in range(source.shards):
                yield Shard(number, source.shards, members)
