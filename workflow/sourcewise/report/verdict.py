"""The answer in words: who is better by how much, and nothing that the data do not decide."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sourcewise.report.scores import Comparison, Score
from sourcewise.report.wording import PER_CENT, about, estimate, listed, percent, span


@dataclass(frozen=True)
class Answer:
    """The headline, and one sentence per benchmark."""

    headline: Markup
    sentences: list[Markup]


def answer(scores: Sequence[Score], comparisons: Sequence[Comparison], confidence: float) -> Answer:
    """Says which student is better than which, benchmark by benchmark and over all of them."""
    benchmarks = list(dict.fromkeys(score.benchmark for score in scores))
    sentences = [
        _sentence(
            benchmark,
            [score for score in scores if score.benchmark == benchmark],
            [pair for pair in comparisons if pair.benchmark == benchmark],
        )
        for benchmark in benchmarks
    ]
    return Answer(_headline(scores, comparisons, confidence), sentences)


def leader(scores: Sequence[Score]) -> Score:
    """The score with the highest mean; the first of equal ones."""
    return max(scores, key=lambda score: score.interval.value if score.interval else -1.0)


def _headline(
    scores: Sequence[Score], comparisons: Sequence[Comparison], confidence: float
) -> Markup:
    measured = [score for score in scores if score.interval is not None]
    students = list(dict.fromkeys(score.student for score in measured))
    if not students:
        return Markup("No student was measured, so there is no answer yet.")
    if len(students) == 1:
        return Markup("Only {} was measured: there is nothing to compare it with.").format(
            _bold(students[0])
        )
    if not comparisons:
        return Markup("The students share no question, so they cannot be compared.")
    level = _level(confidence)
    beaten = {pair.second for pair in comparisons if pair.better}
    unbeaten = [student for student in students if student not in beaten]
    if not unbeaten:
        return Markup(
            "The answer depends on the benchmark: every student is beaten by another one somewhere."
        )
    if len(unbeaten) > 1:
        return _undecided_lead(unbeaten, [s for s in students if s in beaten], comparisons, level)
    return _single(unbeaten[0], measured, comparisons, level)


def _undecided_lead(
    unbeaten: Sequence[str], beaten: Sequence[str], comparisons: Sequence[Comparison], level: str
) -> Markup:
    """The headline where several students are beaten by none."""
    said = Markup("No single best student: {} are not distinguishable.").format(_names(unbeaten))
    among = [pair for pair in comparisons if {pair.first, pair.second} <= set(unbeaten)]
    if among:
        said += _widest(max(among, key=lambda pair: pair.difference.value), len(comparisons), level)
    if beaten:
        several = len({pair.benchmark for pair in comparisons}) > 1
        said += Markup(" {} beaten{}.").format(
            _are(beaten), " on at least one benchmark" if several else ""
        )
    return said


def _widest(pair: Comparison, n_pairs: int, level: str) -> Markup:
    """The largest difference that is still not decided, and what would decide it."""
    if pair.difference.value == 0:
        return Markup(" No difference between them was seen.")
    # An interval of one pair may exclude zero where the corrected verdict does not.
    alone = f", before the correction for {n_pairs} pairs" if pair.difference.low > 0 else ""
    more = pair.verdict.more_questions
    if more:
        samples = more_samples(pair)
        instead = f", or about {about(samples)} more samples of each," if samples else ""
        tell = f"about {about(more)} more questions{instead} would tell"
    else:
        tell = remedy(pair) if pair.difference.luck else "the questions are too few"
    return Markup(" {} is {} points ahead of {} on <i>{}</i> ({} interval {}{}); {}.").format(
        _bold(pair.first),
        f"{100 * pair.difference.value:.1f}",
        _bold(pair.second),
        pair.benchmark,
        level,
        span(pair.difference.low, pair.difference.high),
        alone,
        tell,
    )


def _single(
    best: str, measured: Sequence[Score], comparisons: Sequence[Comparison], level: str
) -> Markup:
    """The headline where exactly one student is beaten by none."""
    own = [pair for pair in comparisons if best in (pair.first, pair.second)]
    wins = [pair for pair in own if pair.better]
    if not wins:
        return Markup("Not decided: {} is beaten by no other student, but beats none.").format(
            _bold(best)
        )
    # Where it beats the most others; of several such benchmarks the first.
    beats = Counter(pair.benchmark for pair in wins)
    benchmark = max(beats, key=beats.__getitem__)
    won = min(
        (pair for pair in wins if pair.benchmark == benchmark),
        key=lambda pair: pair.difference.value,
    )
    score = next(one for one in measured if (one.student, one.benchmark) == (best, benchmark))
    assert score.interval is not None
    lead = Markup("{} scores {} on <i>{}</i>, {} points above {} ({} interval {})").format(
        _bold(best),
        percent(score.interval.value),
        benchmark,
        f"{100 * won.difference.value:.1f}",
        _bold(won.second),
        level,
        span(won.difference.low, won.difference.high),
    )
    undecided = [pair for pair in own if not pair.better]
    if not undecided:
        return lead + Markup(", and is better than every other student on every benchmark.")
    return lead + Markup("".join(map(str, _exceptions(best, undecided)))) + Markup(".")


def _exceptions(best: str, undecided: Sequence[Comparison]) -> list[Markup]:
    """Where the best student is not better than each other one."""
    clauses = []
    for benchmark in dict.fromkeys(pair.benchmark for pair in undecided):
        pairs = [pair for pair in undecided if pair.benchmark == benchmark]
        clause = Markup("; on <i>{}</i> {} not distinguishable from it").format(
            benchmark, _are([_other(pair, best) for pair in pairs])
        )
        clauses.append(clause + f" ({remedy(pairs[0])})" if len(pairs) == 1 else clause)
    return clauses


def _are(students: Sequence[str]) -> Markup:
    return Markup("{} {}").format(_names(students), "is" if len(students) == 1 else "are")


def _other(pair: Comparison, student: str) -> str:
    return pair.second if pair.first == student else pair.first


def _sentence(
    benchmark: str,
    scores: Sequence[Score],
    comparisons: Sequence[Comparison],
) -> Markup:
    measured = [(score.interval, score) for score in scores if score.interval is not None]
    if not measured:
        return Markup("On <i>{}</i> there is no data.").format(benchmark)
    best = leader([score for _, score in measured])
    interval = next(interval for interval, score in measured if score is best)
    tied = all(own[:3] == interval[:3] for own, _ in measured)
    if tied and comparisons and all(pair.difference.value == 0 for pair in comparisons):
        return Markup("On <i>{}</i> all scores are equal, {}: no difference was seen.").format(
            benchmark, estimate(interval)
        )
    first = Markup("On <i>{}</i> {} has the highest score, {}").format(
        benchmark, _bold(best.student), estimate(interval)
    )
    own = [pair for pair in comparisons if best.student in (pair.first, pair.second)]
    won = [_won(pair) for pair in own if pair.better and pair.first == best.student]
    open_ = [_undecided(pair, best.student) for pair in own if not pair.better]
    parts = []
    if won:
        parts.append(Markup("better than ") + _joined(won))
    if open_:
        parts.append(Markup("not distinguishable from ") + _joined(open_))
    if not parts:
        return first + Markup("; there is nothing to compare it with.")
    return first + Markup(": ") + Markup("; ").join(parts) + Markup(".")


def _won(pair: Comparison) -> Markup:
    return Markup("{} by {} points ({})").format(
        _bold(pair.second),
        f"{100 * pair.difference.value:.1f}",
        span(pair.difference.low, pair.difference.high),
    )


def _undecided(pair: Comparison, leader: str) -> Markup:
    return Markup("{} ({})").format(_bold(_other(pair, leader)), remedy(pair))


def remedy(pair: Comparison) -> str:
    """What would decide a comparison that the data leave open."""
    more, seeds = pair.verdict.more_questions, pair.verdict.times_seeds
    if more is not None:
        return f"needs about {about(more)} more questions{_instead(pair)}"
    if seeds is not None:
        return f"needs about {about(seeds)} times as many training seeds"
    if pair.difference.luck:
        return "needs more questions and more training seeds"
    return "no difference was seen" if pair.difference.value == 0 else "too few questions"


def _instead(pair: Comparison) -> str:
    """What else would do as well."""
    if samples := more_samples(pair):
        return f", or about {about(samples)} more samples of each"
    if seeds := pair.verdict.times_seeds:
        return f", or about {about(seeds)} times as many training seeds"
    return "; no number of samples settles it" if pair.verdict.times_samples else ""


def more_samples(pair: Comparison) -> int | None:
    """How many more samples of each question would decide a comparison; None where none would."""
    times = pair.verdict.times_samples
    if times is None or math.isinf(times):
        return None
    return max(1, math.ceil((times - 1) * pair.samples))


def word(pair: Comparison) -> str:
    """The fixed verdict words of a comparison."""
    return pair.verdict.word if pair.better else f"{pair.verdict.word} ({remedy(pair)})"


def compared(pair: Comparison) -> dict[str, float | int | str]:
    """A comparison's numbers and its word, as files hold them."""
    return {
        "difference": pair.difference.value,
        "low": pair.difference.low,
        "high": pair.difference.high,
        "p": pair.difference.p,
        "p_holm": pair.corrected,
        "questions": pair.difference.n,
        "verdict": word(pair),
    }


def _bold(name: str) -> Markup:
    return Markup("<b>{}</b>").format(name)


def _names(names: Sequence[str]) -> Markup:
    return _joined([_bold(name) for name in names])


def _joined(parts: Sequence[Markup]) -> Markup:
    # listed() only puts commas between parts that are escaped already.
    return Markup(listed([str(part) for part in parts]))


def _level(confidence: float) -> str:
    return f"{100 * confidence:g}{PER_CENT}"
