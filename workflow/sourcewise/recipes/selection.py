"""Which attempt of a teacher a recipe takes for a query, and which queries it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sourcewise.drop import Drop
from sourcewise.params.datasets import Dataset
from sourcewise.tables import Selected, Verdict

# The verdicts of each teacher on one query, in the order of its attempts.
Attempts = Mapping[str, Sequence[Verdict]]


def first_passing(verdicts: Sequence[Verdict], min_score: float) -> Verdict | None:
    """The first attempt that scored at least `min_score`: what a loop that stops there would keep."""
    return next((v for v in verdicts if v.score is not None and v.score >= min_score), None)


def _passing(verdicts: Sequence[Verdict], recipe: Dataset) -> Verdict | None:
    """Of the attempts that reach the recipe's score the one that it takes."""
    passing = [v for v in verdicts if first_passing([v], recipe.min_score or 0.0)]
    if not passing:
        return None
    if recipe.take == "best":
        return max(passing, key=lambda verdict: verdict.score or 0.0)
    return passing[0 if recipe.take == "first" else -1]


def decide(query_id: str, attempts: Attempts, recipe: Dataset) -> list[Selected | Drop]:
    """One entry per teacher of the recipe: the attempt it takes, or why it takes none."""
    unsolved = [
        teacher
        for teacher in recipe.solved_by
        if recipe.min_score is not None
        and first_passing(attempts.get(teacher, ()), recipe.min_score) is None
    ]
    if unsolved:
        return [Drop("not_solved_by_all", ", ".join(unsolved))] * len(recipe.teachers)
    return [
        _one(query_id, teacher, attempts.get(teacher, ()), recipe) for teacher in recipe.teachers
    ]


def _one(
    query_id: str, teacher: str, verdicts: Sequence[Verdict], recipe: Dataset
) -> Selected | Drop:
    if not verdicts:
        return Drop("no_attempt", teacher)
    if verdicts[0].status == "prompt_too_long":
        return Drop("prompt_too_long", teacher)
    taken = verdicts[0] if recipe.min_score is None else _passing(verdicts, recipe)
    if taken is not None and taken.status == "no_response":
        # The unverified arm takes the first attempt whatever it says, but this one says nothing.
        return Drop("no_response", teacher)
    if taken is not None:
        return Selected(query_id, teacher, taken.attempt, taken.score)
    last = verdicts[-1]
    shown = last.status if last.score is None else f"score {last.score:g}"
    reason = "below_min_score" if last.score is not None else f"unverified: {last.status}"
    return Drop(reason, f"{teacher}, attempt {last.attempt}: {shown}")
