"""The report as one HTML file: figures, tables and sentences put into the templates."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import jinja2
from markupsafe import Markup

from sourcewise.report import (
    errors,
    evidence_templates,
    experiments,
    figures,
    forecasts,
    power,
    rows,
    sensitivity,
    subsets,
    teacher_figures,
    templates,
    verdict,
    wording,
)
from sourcewise.report.colours import assign
from sourcewise.report.gathered import Gathered
from sourcewise.report.style import CSS

# Texts are cut here and lists at `corpus.LISTED`, so that the file stays small however bad the data are.
MOST_CHARACTERS = 4000
SECTIONS = {
    "scores": templates.SCORES,
    "pairs": templates.PAIRS,
    "experiments": evidence_templates.EXPERIMENTS,
    "teachers": templates.TEACHERS,
    "published": evidence_templates.PUBLISHED,
    "forecast": evidence_templates.FORECAST,
    "errors": evidence_templates.ERRORS,
    "rows": evidence_templates.ROWS,
    "contamination": evidence_templates.CONTAMINATION,
    "datasets": evidence_templates.DATASETS,
    "training": evidence_templates.TRAINING,
    "methods": evidence_templates.METHODS,
    "parameters": evidence_templates.PARAMETERS,
}


def render(gathered: Gathered) -> str:
    """The whole page; equal numbers give equal bytes."""
    report = gathered.report
    colours = assign({t.name: t for t in gathered.teachers}, gathered.datasets, gathered.students)
    outcomes, legend = teacher_figures.outcomes(gathered)
    page = _environment().get_template("frame")
    return page.render(
        g=gathered,
        css=Markup(CSS),
        sections=list(SECTIONS),
        answer=verdict.answer(gathered.scores, gathered.comparisons, report.confidence),
        level=f"{100 * report.confidence:g}{wording.PER_CENT}",
        colours=colours,
        sizes={size.name: size for size in gathered.sizes},
        base=_base(gathered.parameters),
        caveats=rows.caveats(gathered),
        leaders=rows.leaders(gathered),
        ranking=rows.ranking(gathered.scores),
        reference=report.reference,
        gains=rows.gains(gathered),
        teachers=[rows.teacher_row(one, gathered) for one in gathered.teachers],
        by_category=rows.by_category(gathered),
        agreements=[rows.AgreementRow(a, a.share(report.confidence)) for a in gathered.agreements],
        experiments=[
            (one, figures.effects(one, colours)) for one in experiments.sections(gathered)
        ],
        forecasts=forecasts.rows(gathered),
        costs=forecasts.costs(gathered),
        errors=errors.rows(gathered),
        power=power.rows(gathered),
        leads=power.LEADS,
        corrected=sensitivity.scores(gathered),
        corrected_pairs=list(sensitivity.pairs(gathered)),
        whole={
            (s.benchmark, s.student): s.interval.value if s.interval else None
            for s in gathered.scores
        },
        training_keys=_scalar_keys(gathered.trainings),
        thresholds=rows.thresholds(gathered.parameters),
        parameters=_parameters(gathered.parameters),
        figures={
            "benchmarks": figures.benchmarks(gathered, colours),
            "acceptance": teacher_figures.acceptance(gathered, colours),
            "outcomes": outcomes,
            "legend": legend,
            "lengths": teacher_figures.lengths(gathered, colours),
            "spans": teacher_figures.spans(gathered, colours),
            "perplexities": teacher_figures.perplexities(gathered, colours),
            "difficulty": teacher_figures.difficulty(gathered, colours),
            "diversity": teacher_figures.diversity(gathered, colours),
            "waterfalls": figures.waterfalls(gathered),
            "losses": figures.losses(gathered, colours),
        },
    )


def _environment() -> jinja2.Environment:
    loader = jinja2.DictLoader(
        {
            "frame": templates.FRAME,
            "macros": templates.MACROS,
            "compared": templates.COMPARED,
            "apart": templates.APART,
        }
        | SECTIONS
    )
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.globals["span"] = wording.span
    environment.globals["changed"] = subsets.changed
    environment.filters.update(
        percent=_dashed(wording.percent),
        points=wording.points,
        count=wording.count,
        decimal=_dashed(wording.decimal),
        p_value=wording.p_value,
        listed=wording.listed,
        word=verdict.word,
        words=lambda name: name.replace("_", " "),
        cut=_cut,
        value=_dashed(_value),
    )
    return environment


def _cut(text: str) -> str:
    if len(text) <= MOST_CHARACTERS:
        return text
    return f"{text[:MOST_CHARACTERS]}\n… {len(text) - MOST_CHARACTERS:,} more characters"


def _dashed(said: Callable[[Any], str]) -> Callable[[Any], str]:
    """A filter that writes a dash where there is no value."""
    return lambda value: "–" if value is None else said(value)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return wording.count(value)
    return wording.decimal(value) if isinstance(value, float) else str(value)


def _base(parameters: Mapping[str, Any]) -> str:
    base = parameters.get("train", {}).get("base")
    return f" ({base})" if base else ""


def _scalar_keys(trainings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The keys of training.json that fit into a table cell."""
    keys = {
        key: None
        for numbers in trainings.values()
        for key, value in numbers.items()
        if isinstance(value, bool | int | float) and key != "student"
    }
    return list(keys)


def _parameters(parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, json.dumps(section, indent=2, ensure_ascii=False))
        for name, section in parameters.items()
    ]
