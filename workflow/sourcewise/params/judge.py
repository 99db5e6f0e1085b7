"""A language model that rates what rules cannot: answers, and whether a question is complete."""

from __future__ import annotations

from sourcewise.params.base import Count, Fraction, Positive, Section, Whole


class Judge(Section):
    """A model behind an OpenAI-compatible endpoint, whose address is `$SOURCEWISE_JUDGE_URL`.

    Without the address every verdict is `unavailable`. `task` is what the judge is told to do; null takes
    our own words. `seconds` is the longest wait for a reply.
    """

    model: str
    max_answer_chars: Count
    seconds: Positive
    seed: Whole
    task: str | None


class QueryJudge(Judge):
    """A judge that drops queries which it rates below `least` of the full completeness."""

    least: Fraction
