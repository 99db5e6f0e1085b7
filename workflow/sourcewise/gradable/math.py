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
        readable = list(dict.fromkeys(one.wanted for one in found if isinstance(one, Pair)))
        # A tower of powers equals itself at once, and hangs beside any other number.
        equal = pool.map([Pair(term, term) for term in readable])
        other = pool.map([Pair(term, "1") for term in readable])
        replies = {term: pair for term, *pair in zip(readable, equal, other, strict=True)}
        for one in found:
            yield _incomparable(one, replies[one.wanted], judged) if isinstance(one, Pair) else one


def _problem(reference: str, max_chars: int, judged: bool) -> str | Pair | None:
    """What is wrong with a reference, or what algebra must be able to compare."""
    answer, problem = read(reference, max_chars)
    if problem:
        return problem
    if answers.is_simple(answer):
        return None
    return terms(answer, answer) or (None if judged else unreadable(answer))


def _incomparable(pair: Pair, replies: list[Reply[str]], judged: bool) -> str | None:
    """What went wrong when a reference was compared with itself and with another number."""
    for reply in replies:
        if reply.status != "done":
            return f"comparing with {pair.wanted[:80]!r}: {reply.status}, {reply.detail}"
    return None if replies[0].value == "equal" or judged else unreadable(pair.wanted)


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
    return f"neither rules nor computer algebra reads {reference[:80]!r}"
