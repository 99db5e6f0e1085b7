"""Our verdicts beside the ones that somebody else published with the same responses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sourcewise import statistics
from sourcewise.report.scores import UNJUDGED, correct
from sourcewise.tables import Verdict

Key = tuple[str, int]


@dataclass(frozen=True)
class Disagreement:
    """A response that the two verdicts tell apart, with all that a reader needs to judge it."""

    published: bool
    verdict: Verdict
    query: str
    reference: str
    response: str


@dataclass
class Agreement:
    """How a teacher's published verdicts compare with ours.

    `unjudged` responses have no verdict of ours on the answer (no judge, bad reference), `absent` ones
    belong to queries that cleaning or decontamination removed or whose loop stopped earlier.
    """

    teacher: str
    n_published: int
    compared: int = 0
    agreed: int = 0
    unjudged: int = 0
    differing: list[tuple[bool, Verdict]] = field(default_factory=list)
    disagreements: list[Disagreement] = field(default_factory=list)

    @property
    def absent(self) -> int:
        """Published verdicts on responses that we did not verify."""
        return self.n_published - self.compared - self.unjudged

    def share(self, confidence: float) -> statistics.Interval | None:
        """The share of compared responses on which both verdicts agree."""
        if not self.compared:
            return None
        return statistics.wilson(self.agreed, self.compared, confidence)


def agreement(
    teacher: str,
    published: Mapping[Key, bool | float],
    verdicts: Iterable[Verdict],
    *,
    stop_score: float,
) -> Agreement:
    """Compares verdicts: beside true and false ours is correct with the full score, beside a score
    both are accepted from `stop_score` on."""
    found = Agreement(teacher, len(published))
    for verdict in verdicts:
        given = published.get((verdict.query_id, verdict.attempt))
        if given is None:
            continue
        if verdict.status in UNJUDGED:
            found.unjudged += 1
            continue
        if isinstance(given, bool):
            theirs, ours = given, correct(verdict)
        else:
            theirs, ours = given >= stop_score, (verdict.score or 0.0) >= stop_score
        found.compared += 1
        if ours == theirs:
            found.agreed += 1
        else:
            found.differing.append((theirs, verdict))
    return found
