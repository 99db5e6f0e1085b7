"""The numbers of the report as one mapping that scripts can read; `metrics` holds those that DVC compares."""

from __future__ import annotations

from typing import Any

from sourcewise import statistics
from sourcewise.report import errors, experiments, forecasts, power, sensitivity
from sourcewise.report.gathered import Gathered
from sourcewise.report.subsets import Subset, changed
from sourcewise.report.verdict import answer, compared, more_samples, word


def numbers(gathered: Gathered) -> dict[str, Any]:
    """The answer as text, then one flat mapping per student and benchmark, pair, teacher, dataset."""
    confidence = gathered.report.confidence
    said = answer(gathered.scores, gathered.comparisons, confidence)
    scores: dict[str, dict[str, Any]] = {}
    pairs: dict[str, dict[str, Any]] = {}
    for one in gathered.scores:
        scores.setdefault(one.benchmark, {})[one.student] = {
            **_interval("score", one.interval),
            "questions": len(one.means),
            "samples": one.n_samples,
            "pass_at": one.fewest,
            **_interval("pass_at_k", one.best_of),
            "mean_tokens": one.tokens,
            "cut_at_limit": one.truncated,
            "looping": one.looping,
            "cut_and_looping": one.stuck,
            "not_judged": one.unjudged,
            "training_seeds": one.seeds,
        }
    for pair in gathered.comparisons:
        pairs.setdefault(pair.benchmark, {})[f"{pair.first} over {pair.second}"] = {
            **compared(pair),
            "more_questions": pair.verdict.more_questions,
            "more_samples": more_samples(pair),
            "detectable": pair.detectable,
            "variance_of_question": pair.difference.spread**2,
            "of_it_sampling": pair.difference.noise,
            "variance_of_seeds": pair.difference.luck or None,
        }
    for left in sensitivity.scores(gathered):
        found = scores[left.score.benchmark][left.score.student]
        found |= _interval("without_verifier_errors", left.corrected)
    for other in sensitivity.pairs(gathered):
        pairs[other.pair.benchmark][f"{other.pair.first} over {other.pair.second}"] |= {
            "without_verifier_errors": other.alike,
            "least_if_judged_unlike": other.least,
            "survives_verifier_errors": other.survives,
        }
    return {
        "answer": said.headline.striptags().replace("\N{NO-BREAK SPACE}", " "),
        "scores": scores,
        "pairs": pairs,
        "experiments": {
            section.name: {
                f"{one.arm} on {one.benchmark}": {
                    "difference": one.value,
                    "low": one.ends[0],
                    "high": one.ends[1],
                    "p_holm": one.pair.corrected,
                    "verdict": one.word,
                }
                for one in section.effects
            }
            for section in experiments.sections(gathered)
        },
        "power": {
            row.benchmark: {
                **{
                    f"finds_{100 * lead:g}_points": chance
                    for lead, chance in zip(power.LEADS, row.chances, strict=True)
                },
                "smallest_lead": row.now,
                "with_4_times_the_samples": row.more_samples,
                "with_4_times_the_questions": row.more_questions,
            }
            for row in power.rows(gathered)
        },
        "without": [_subset(subset, gathered) for subset in gathered.subsets],
        "teachers": {
            one.name: {
                **_interval("first", one.acceptance(attempts=1, confidence=confidence)),
                "accepted": one.n_accepted,
                "queries": one.n_judged,
                "responses": one.n_responses,
                "attempts_per_success": one.mean_attempts,
                "tokens_per_accepted": one.tokens_per_accepted,
                "cut_at_limit": one.truncated,
                "not_judged": one.n_unjudged,
            }
            for one in gathered.teachers
        },
        "teacher_pairs": {
            f"{pair.first} over {pair.second}": {
                "difference": pair.difference.value,
                "low": pair.difference.low,
                "high": pair.difference.high,
                "p_holm": pair.corrected,
                "queries": pair.difference.n,
                "verdict": pair.verdict.word,
            }
            for pair in gathered.teacher_pairs
        },
        "datasets": {
            size.name: {
                "examples": size.examples,
                "tokens": size.tokens,
                "mean_tokens": size.mean_tokens,
                "mean_perplexity": size.perplexity,
            }
            for size in gathered.sizes
        },
        "contaminated": gathered.evidence.n_queries,
        "verifiers": {
            f"{row.of.verifier} {row.of.version} on {row.of.set}": {
                **_interval("false_accept", row.accept),
                **_interval("false_reject", row.reject),
                **_interval("wrong_rows", row.share),
            }
            for row in errors.rows(gathered)
        },
        "forecast": {
            row.teacher: {
                outcome.name.replace(" ", "_"): {
                    **outcome.forecast.model_dump(),
                    "actual": outcome.actual,
                    "inside": outcome.is_inside,
                }
                for outcome in row.outcomes
            }
            | {"reasons": row.reasons}
            for row in forecasts.rows(gathered)
        },
        **_costs(gathered),
        "published": {
            one.teacher: {
                **_interval("agreement", one.share(confidence)),
                "compared": one.compared,
                "disagreements": len(one.differing),
            }
            for one in gathered.agreements
        },
    }


def _subset(subset: Subset, gathered: Gathered) -> dict[str, Any]:
    """The scores of a benchmark without its questions in doubt, and the verdicts that are then others."""
    return {
        "benchmark": subset.benchmark,
        "why": subset.why,
        "questions": subset.dropped,
        "scores": {one.student: _interval("score", one.interval) for one in subset.scores},
        "changed_verdicts": {
            f"{pair.first} over {pair.second}": {
                "with": word(pair),
                "without": f"{now.first} over {now.second}: {word(now)}" if now else "no data",
            }
            for pair, now in changed(subset, gathered.comparisons)
        },
    }


def _costs(gathered: Gathered) -> dict[str, Any]:
    """What stages took; without accounts the summary has no such key."""
    found = {
        row.stage: {
            **row.actual.model_dump(),
            "forecast": row.forecast.model_dump() if row.forecast else None,
            "inside": row.is_inside,
            "gpu_seconds_per_accepted": row.per_row,
        }
        for row in forecasts.costs(gathered)
    }
    return {"cost": found} if found else {}


def _interval(name: str, interval: statistics.Interval | None) -> dict[str, float | None]:
    if interval is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
