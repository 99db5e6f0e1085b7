"""References of mathematics: `{"answer": "…"}` that rules can read, or that algebra finds equal to itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from sourcewise.grading import answers
from sourcewise.grading.algebra import compare, warm
from sourcewise.grading.killable import Pool, Reply
from sourcewise.grading.shapes import Pair
from sourcewise.grading.terms import terms

BATCH = 512


def pool(*, seconds: float, memory_mb: int) -> Pool[Pair, str]:
    """Workers that compare by computer algebra; none starts before the first comparison."""
    return Pool(compare, seconds=seconds, memory_mb=memory_mb, warm=warm)


def problems(
    references: Iterable[str], *, pool: Pool[Pair, str], max_chars: int, judged: bool
) -> Iterator[str | None]:
    """For each reference why no answer could be judged against it, None where it is usable; in order.

    With `judged` a judge reads what algebra cannot.
    """
    stream = iter(references)
    while batch := list(itertools.islice(stream, BATCH)):
        found = [_problem(reference, max_chars, judged) for reference in batch]
        pairs = list(dict.fromkeys(one for one in found if isinstance(one, Pair)))
        replies = dict(zip(pairs, pool.map(pairs), strict=True))
        for one in found:
            yield _unequal_to_itself(one, replies[one]) if isinstance(one, Pair) else one


def _problem(reference: str, max_chars: int, judged: bool) -> str | Pair | None:
    """What is wrong with a reference, or what algebra must be able to compare with itself."""
    answer, problem = read(reference, max_chars)
    if problem:
        return problem
    if answers.is_simple(answer) or judged:
        return None
    return terms(answer, answer) or unreadable(answer)


def _unequal_to_itself(pair: Pair, reply: Reply[str]) -> str | None:
    if reply.status != "done":
        return f"comparing {pair.wanted[:80]!r} with itself: {reply.status}, {reply.detail}"
    return None if reply.value == "equal" else unreadable(pair.wanted)


def read(reference: str, max_chars: int) -> tuple[str, str]:
    """The answer of a reference and "", or "" and what is wrong with it."""
    answer = answers.read_reference(reference)
    if answer is None:
        return "", f'{reference[:80]!r} is not {{"answer": "…"}}'
    if len(answer) > max_chars:
        return "", f"a reference of {len(answer)} characters, more than {max_chars}"
    return answer, ""


def unreadable(reference: str) -> str:
    """What is wrong with a reference that nothing can read."""
    return f"neither rules nor computer algebra can read {reference[:80]!r}"
