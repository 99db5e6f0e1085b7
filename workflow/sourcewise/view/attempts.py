"""An answer with what was made of it: a teacher's attempt, or a student's sample."""

from __future__ import annotations

from dataclasses import dataclass

from sourcewise.tables import Perplexity, Response, Verdict
from sourcewise.text import Parts, split_reasoning


@dataclass(frozen=True)
class Attempt:
    """A response with its verdict and perplexity, None where a run has not come so far."""

    response: Response
    verdict: Verdict | None
    perplexity: Perplexity | None
    accepted: bool

    @property
    def parts(self) -> Parts:
        """Its reasoning and its answer."""
        return split_reasoning(self.response.text)
