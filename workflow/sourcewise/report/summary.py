"""The numbers of the report as one mapping that scripts can read; `metrics` holds those that DVC compares."""

from __future__ import annotations

from typing import Any

from sourcewise import statistics
from sourcewise.report import errors, forecasts
from sourcewise.report.gathered import Gathered
from sourcewise.report.verdict import answer, word


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
            "mean_tokens": one.tokens,
            "cut_at_limit": one.truncated,
            "not_judged": one.unjudged,
            "training_seeds": one.seeds,
        }
    for pair in gathered.comparisons:
        pairs.setdefault(pair.benchmark, {})[f"{pair.first} over {pair.second}"] = {
            "difference": pair.difference.value,
            "low": pair.difference.low,
            "high": pair.difference.high,
            "p": pair.difference.p,
            "p_holm": pair.corrected,
            "questions": pair.difference.n,
            "verdict": word(pair),
        }
    return {
        "answer": said.headline.striptags().replace("\N{NO-BREAK SPACE}", " "),
        "scores": scores,
        "pairs": pairs,
        "teachers": {
            one.name: {
                **_interval("first", one.acceptance(attempts=1, confidence=confidence)),
                "accepted": len(one.accepted_at),
                "queries": len(one.judged),
                "responses": one.n_responses,
                "attempts_per_success": one.mean_attempts,
                "tokens_per_accepted": one.tokens_per_accepted,
                "cut_at_limit": one.truncated,
                "not_judged": one.n_unjudged,
            }
            for one in gathered.teachers
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
        "contaminated": len({pair.query_id for pair in gathered.evidence}),
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
