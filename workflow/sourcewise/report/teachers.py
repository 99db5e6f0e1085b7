"""What teachers did in the retry loop: acceptance, attempts to success, lengths and perplexity."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sourcewise import statistics
from sourcewise.report.scores import UNJUDGED
from sourcewise.tables import Perplexity, Response, Verdict

ACCEPTED, REJECTED = "accepted", "scored too low"


@dataclass
class Round:
    """One attempt at all queries that were still open: how many ended with which outcome."""

    outcomes: Counter[str] = field(default_factory=Counter)
    n_tokens: int = 0
    n_truncated: int = 0
    n_responses: int = 0


@dataclass
class TeacherNumbers:
    """Everything that the report says of a teacher.

    `judged` and `accepted_at` map a query to its category and to the first attempt that was accepted;
    `lengths` (tokens) and `perplexities` hold one value per accepted response, by category.
    """

    name: str
    rounds: list[Round] = field(default_factory=list)
    judged: dict[str, str] = field(default_factory=dict)
    accepted_at: dict[str, int] = field(default_factory=dict)
    lengths: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    perplexities: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add_round(
        self,
        verdicts: Iterable[Verdict],
        responses: Iterable[Response],
        *,
        categories: Mapping[str, str],
        stop_score: float,
    ) -> None:
        """Takes in the next attempt; rounds come in order."""
        attempt = len(self.rounds) + 1
        this = Round()
        for verdict in verdicts:
            outcome = _outcome(verdict, stop_score)
            this.outcomes[outcome] += 1
            if verdict.status not in UNJUDGED:
                self.judged[verdict.query_id] = categories.get(verdict.query_id, "?")
            if outcome == ACCEPTED:
                self.accepted_at.setdefault(verdict.query_id, attempt)
        for response in responses:
            this.n_responses += 1
            this.n_tokens += response.n_tokens
            this.n_truncated += response.finish_reason == "length"
            if self.accepted_at.get(response.query_id) == attempt:
                category = categories.get(response.query_id, "?")
                self.lengths[category].append(response.n_tokens)
        self.rounds.append(this)

    def add_perplexities(self, rows: Iterable[Perplexity], categories: Mapping[str, str]) -> None:
        """Takes in the perplexities of accepted responses."""
        for row in rows:
            if self.accepted_at.get(row.query_id) == row.attempt:
                self.perplexities[categories.get(row.query_id, "?")].append(row.perplexity)

    def acceptance(
        self, *, attempts: int, confidence: float, category: str | None = None
    ) -> statistics.Interval | None:
        """The share of judged queries that were accepted within so many attempts; None without any."""
        queries = [q for q, of in self.judged.items() if category in (None, of)]
        if not queries:
            return None
        accepted = sum(self.accepted_at.get(q, attempts + 1) <= attempts for q in queries)
        return statistics.wilson(accepted, len(queries), confidence)

    @property
    def mean_attempts(self) -> float | None:
        """Attempts per accepted query."""
        numbers = self.accepted_at.values()
        return sum(numbers) / len(numbers) if numbers else None

    @property
    def n_responses(self) -> int:
        """Responses over all rounds."""
        return sum(one.n_responses for one in self.rounds)

    @property
    def n_tokens(self) -> int:
        """Tokens of all completions, failures included."""
        return sum(one.n_tokens for one in self.rounds)

    @property
    def n_unjudged(self) -> int:
        """Verdicts that say nothing of the teacher."""
        return sum(one.outcomes[status] for one in self.rounds for status in UNJUDGED)

    @property
    def truncated(self) -> float | None:
        """The share of responses that ran into the token limit."""
        cut = sum(one.n_truncated for one in self.rounds)
        return cut / self.n_responses if self.n_responses else None

    @property
    def tokens_per_accepted(self) -> float | None:
        """All tokens that were generated, failures included, for each accepted response."""
        return self.n_tokens / len(self.accepted_at) if self.accepted_at else None


def _outcome(verdict: Verdict, stop_score: float) -> str:
    if verdict.score is None:
        return verdict.status
    return ACCEPTED if verdict.score >= stop_score else REJECTED
