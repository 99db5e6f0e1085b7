"""Questions to the attempts of all teachers: what is hard, who writes longer where, who writes alike.

The difficulty of a query for a teacher is the share of the *other* teachers' judged attempts at it that failed,
so that no teacher is compared with its own failures. Retrying counts: a query that the others solve at their
first attempt has 0, one that nobody else solves 1.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sourcewise import statistics
from sourcewise.report.paper import SPANS
from sourcewise.report.teachers import Numbers, TeacherNumbers

# Upper ends of the groups of difficulty, and how a chart names them.
DIFFICULTIES = (0.0, 0.5, 0.999, 1.0)
LEVELS = ("none failed", "up to half", "most", "all failed")
# Below so many queries a group is not drawn: its median is noise.
FEWEST = 20
# Queries whose texts are compared, and of how many shards; the n of n-grams.
SAMPLED_QUERIES, SAMPLED_SHARDS = 1024, 16
NGRAM = 4
# Fewer words, or fewer n-grams in them, say nothing.
FEWEST_WORDS, FEWEST_NGRAMS = 500, 100


class Hardness(NamedTuple):
    """A teacher at the queries of one level of difficulty.

    Quartiles are of the tokens of first attempts that ended by themselves; `cut` is the share of those that
    did not. None where no first attempt is there.
    """

    teacher: str
    level: str
    queries: int
    accepted: statistics.Interval
    quartiles: tuple[float, float, float] | None
    cut: float | None


class Diversity(NamedTuple):
    """How varied a teacher's responses to shared queries are, in `words` words of them.

    `distinct` is the share of distinct n-grams of words among all (Li et al. 2016, arXiv 1510.03055), None
    where responses are too short to have any; `compression` the size of the text over its size compressed
    (Shaib et al. 2024, arXiv 2403.00553).
    """

    teacher: str
    responses: int
    words: int
    distinct: float | None
    compression: float


class Spans(NamedTuple):
    """Accepted responses of a teacher in each of the paper's spans of tokens, the last one open."""

    category: str
    teacher: str
    counts: tuple[int, ...]

    @property
    def shares(self) -> list[float]:
        """The same as shares of all."""
        return [count / sum(self.counts) for count in self.counts]


def spans(teachers: Sequence[TeacherNumbers]) -> list[Spans]:
    """By category and teacher, how many accepted responses lie in (0, 1024], (1024, 2048], … tokens."""
    edges = np.array([0, *SPANS, np.iinfo(np.int64).max]) + 0.5
    edges[0] = 0
    return [
        Spans(category, teacher.name, tuple(np.histogram(tokens, edges)[0].tolist()))
        for category in sorted({name for teacher in teachers for name in teacher.lengths})
        for teacher in teachers
        if (tokens := teacher.lengths.get(category)) is not None
    ]


def difficulty(teachers: Sequence[TeacherNumbers], of: TeacherNumbers) -> Numbers:
    """Per query the share of the other teachers' judged attempts that failed; nan where there is none."""
    attempts = np.zeros(len(of.columns.attempts), np.int32)
    solved = np.zeros_like(attempts)
    for other in teachers:
        if other is not of:
            attempts += other.columns.attempts
            solved += other.columns.accepted_at > 0
    with np.errstate(invalid="ignore"):
        return np.where(attempts > 0, (attempts - solved) / np.maximum(attempts, 1), np.nan)


def hardness(teachers: Sequence[TeacherNumbers], confidence: float) -> list[Hardness]:
    """Each teacher at each level of difficulty; none where one teacher stands alone."""
    if len(teachers) < 2:
        return []
    found = []
    for teacher in teachers:
        measured = difficulty(teachers, teacher)
        levels = np.searchsorted(DIFFICULTIES, measured)
        for number, level in enumerate(LEVELS):
            among = (levels == number) & ~np.isnan(measured)
            accepted = teacher.acceptance(attempts=1, confidence=confidence, among=among)
            if accepted is not None and accepted.n >= FEWEST:
                found.append(_hardness(teacher, level, among & teacher.is_judged, accepted))
    return found


def _hardness(
    teacher: TeacherNumbers, level: str, among: Numbers, accepted: statistics.Interval
) -> Hardness:
    there = among & (teacher.columns.first_tokens >= 0)
    cut = teacher.columns.first_cut
    whole = teacher.columns.first_tokens[there & ~cut]
    quartiles = None
    if len(whole):
        first, median, third = np.quantile(whole, [0.25, 0.5, 0.75]).tolist()
        quartiles = (first, median, third)
    share = float(cut[there].mean()) if there.any() else None
    return Hardness(teacher.name, level, int(among.sum()), accepted, quartiles, share)


def shared(teachers: Sequence[TeacherNumbers], shards: int) -> Iterator[tuple[int, Numbers]]:
    """Places of queries to compare texts of: the first that every teacher solved, of shards spread over all."""
    sampled = range(0, shards, max(1, -(-shards // SAMPLED_SHARDS)))
    for shard in sampled:
        solved = np.logical_and.reduce([one.shards[shard].accepted_at > 0 for one in teachers])
        if solved.any():
            yield shard, np.flatnonzero(solved)[: SAMPLED_QUERIES // len(sampled)]


def diversity(texts: Mapping[str, Sequence[str]]) -> list[Diversity]:
    """Of each teacher's texts, in the same order of queries, as many words as the tersest teacher has."""
    words = {teacher: [text.split() for text in written] for teacher, written in texts.items()}
    n = min((sum(map(len, written)) for written in words.values()), default=0)
    if n < FEWEST_WORDS:
        return []
    return [_diversity(teacher, _first(written, n)) for teacher, written in words.items()]


def _first(written: Sequence[Sequence[str]], n: int) -> list[Sequence[str]]:
    taken: list[Sequence[str]] = []
    for one in written:
        if n <= 0:
            break
        taken.append(one[:n])
        n -= len(one)
    return taken


def _diversity(teacher: str, written: Sequence[Sequence[str]]) -> Diversity:
    grams = Counter(
        tuple(one[i : i + NGRAM]) for one in written for i in range(len(one) - NGRAM + 1)
    )
    plain = "\n".join(" ".join(one) for one in written).encode()
    return Diversity(
        teacher=teacher,
        responses=len(written),
        words=sum(map(len, written)),
        distinct=len(grams) / grams.total() if grams.total() >= FEWEST_NGRAMS else None,
        compression=len(plain) / len(zlib.compress(plain, 9)),
    )
