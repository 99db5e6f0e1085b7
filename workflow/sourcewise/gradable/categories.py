"""Why the reference of a query cannot be graded, by its category; cleaning asks before any teacher is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sourcewise.gradable import code, instruction, math
from sourcewise.grading import answers
from sourcewise.grading.killable import Pool
from sourcewise.grading.shapes import Pair

# Enough for any reference that people write; what takes more cannot be compared in time either.
SECONDS, MEMORY_MB, MAX_CHARS = 5.0, 2048, 2000


class References:
    """Looks at the references of queries; workers start with the first that needs one.

    `judged` says that a judge reads what computer algebra cannot.
    """

    def __init__(self, *, judged: bool) -> None:
        self._judged = judged
        self._algebra: Pool[Pair, str] = math.pool(seconds=SECONDS, memory_mb=MEMORY_MB)
        self._checkers: Pool[str, str | None] = instruction.pool()

    def __enter__(self) -> References:
        return self

    def __exit__(self, *_: object) -> None:
        self._algebra.__exit__()
        self._checkers.__exit__()

    def problems(self, categories: Sequence[str], references: Sequence[str]) -> list[str | None]:
        """For each query's category and reference why no answer could be graded, None where one can."""
        readers: dict[str, Callable[[Iterable[str]], Iterable[str | None]]] = {
            "math": self._math,
            "code": code.problems,
            "instruction": lambda some: instruction.problems(some, pool=self._checkers),
            "science": lambda some: map(_answer, some),
        }
        found: list[str | None] = [None] * len(references)
        for category, reader in readers.items():
            places = [n for n, one in enumerate(categories) if one == category]
            problems = reader(references[place] for place in places)
            for place, problem in zip(places, problems, strict=True):
                found[place] = problem
        return found

    def _math(self, references: Iterable[str]) -> Iterable[str | None]:
        return math.problems(
            references, pool=self._algebra, max_chars=MAX_CHARS, judged=self._judged
        )


def _answer(reference: str) -> str | None:
    known = answers.read_reference(reference) is not None
    return None if known else f'{reference[:80]!r} is not {{"answer": "…"}}'
