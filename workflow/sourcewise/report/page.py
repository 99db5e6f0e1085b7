"""The report as one HTML file: figures, tables and sentences put into the templates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup

from sourcewise import statistics
from sourcewise.report import corpus, evidence_templates, figures, templates, verdict, wording
from sourcewise.report.colours import assign
from sourcewise.report.gathered import Gathered
from sourcewise.report.published import Agreement
from sourcewise.report.style import CSS
from sourcewise.report.teachers import Teacher

# Lists of texts are cut here, so that the file stays below 3 MB however bad the data are.
LISTED = 200
MOST_CHARACTERS = 4000
SECTIONS = {
    "scores": templates.SCORES,
    "pairs": templates.PAIRS,
    "teachers": templates.TEACHERS,
    "published": evidence_templates.PUBLISHED,
    "rows": evidence_templates.ROWS,
    "contamination": evidence_templates.CONTAMINATION,
    "datasets": evidence_templates.DATASETS,
    "training": evidence_templates.TRAINING,
    "methods": evidence_templates.METHODS,
    "parameters": evidence_templates.PARAMETERS,
}


class TeacherRow(NamedTuple):
    """A teacher with its shares of accepted queries at the first and after the last attempt."""

    name: str
    numbers: Teacher
    first: statistics.Interval | None
    last: statistics.Interval | None


class AgreementRow(NamedTuple):
    """A teacher's agreement with published verdicts, and its share."""

    of: Agreement
    share: statistics.Interval | None


def render(gathered: Gathered) -> str:
    """The whole page; equal numbers give equal bytes."""
    report = gathered.report
    colours = assign({t.name: t for t in gathered.teachers}, gathered.datasets, gathered.students)
    outcomes, legend = figures.outcomes(gathered)
    page = _environment().get_template("frame")
    return page.render(
        g=gathered,
        css=Markup(CSS),
        sections=list(SECTIONS),
        answer=verdict.answer(gathered.scores, gathered.comparisons, report.confidence),
        level=f"{100 * report.confidence:g} %",
        colours=colours,
        sizes={size.name: size for size in gathered.sizes},
        base=_base(gathered.parameters),
        caveats=_caveats(gathered),
        leaders=_leaders(gathered),
        reference=report.reference,
        gains=_gains(gathered),
        teachers=[_teacher(one, gathered) for one in gathered.teachers],
        by_category=_by_category(gathered),
        agreements=[AgreementRow(a, a.share(report.confidence)) for a in gathered.agreements],
        layers=corpus.layers(gathered.evidence),
        listed_pairs=sorted(gathered.evidence, key=_closeness)[:LISTED],
        training_keys=_scalar_keys(gathered.trainings),
        parameters=_parameters(gathered.parameters),
        figures={
            "benchmarks": figures.benchmarks(gathered, colours),
            "acceptance": figures.acceptance(gathered, colours),
            "outcomes": outcomes,
            "legend": legend,
            "lengths": figures.lengths(gathered, colours),
            "perplexities": figures.perplexities(gathered, colours),
            "waterfalls": figures.waterfalls(gathered),
            "losses": figures.losses(gathered, colours),
        },
    )


def _environment() -> jinja2.Environment:
    loader = jinja2.DictLoader(
        {"frame": templates.FRAME, "macros": templates.MACROS, "compared": templates.COMPARED}
        | SECTIONS
    )
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.globals["span"] = wording.span
    environment.filters.update(
        percent=wording.percent,
        points=wording.points,
        count=wording.count,
        decimal=wording.decimal,
        p_value=wording.p_value,
        listed=wording.listed,
        word=verdict.word,
        words=lambda name: name.replace("_", " "),
        cut=_cut,
        value=_value,
    )
    return environment


def _cut(text: str) -> str:
    if len(text) <= MOST_CHARACTERS:
        return text
    return f"{text[:MOST_CHARACTERS]}\n… {len(text) - MOST_CHARACTERS:,} more characters"


def _value(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return wording.count(value)
    return wording.decimal(value) if isinstance(value, float) else str(value)


def _closeness(pair: Any) -> tuple[float, str, str]:
    return (pair.score, pair.query_id, pair.item_id)


def _base(parameters: Mapping[str, Any]) -> str:
    base = parameters.get("train", {}).get("base")
    return f" ({base})" if base else ""


def _caveats(gathered: Gathered) -> list[str]:
    """What a reader must know before taking the answer for more than it is."""
    found = ["Each was trained once, so the luck of training is in no interval."]
    used = {student.dataset for student in gathered.students.values()}
    sizes = [size.examples for size in gathered.sizes if size.name in used]
    if len(set(sizes)) > 1:
        found.append(
            f"Their datasets hold {min(sizes):,} to {max(sizes):,} examples: the sources are "
            "compared as they come, not at equal size."
        )
    return found


def _leaders(gathered: Gathered) -> dict[str, set[str]]:
    """By benchmark, the student that is better than every other one there."""
    found = {}
    for benchmark in {score.benchmark for score in gathered.scores}:
        pairs = [pair for pair in gathered.comparisons if pair.benchmark == benchmark]
        names = {name for pair in pairs for name in (pair.first, pair.second)}
        wins = {n: sum(p.better and p.first == n for p in pairs) for n in names}
        found[benchmark] = {name for name, n in wins.items() if n == len(names) - 1}
    return found


def _gains(gathered: Gathered) -> dict[tuple[str, str], str]:
    """By benchmark and student, the difference from the reference student."""
    reference, found = gathered.report.reference, {}
    for pair in gathered.comparisons:
        if reference in (pair.first, pair.second):
            other = pair.second if pair.first == reference else pair.first
            sign = -1 if pair.first == reference else 1
            found[pair.benchmark, other] = wording.points(sign * pair.difference.value)
    return found


def _teacher(teacher: Teacher, gathered: Gathered) -> TeacherRow:
    confidence = gathered.report.confidence
    first = teacher.acceptance(attempts=1, confidence=confidence)
    last = teacher.acceptance(attempts=max(1, len(teacher.rounds)), confidence=confidence)
    return TeacherRow(teacher.name, teacher, first, last)


def _by_category(gathered: Gathered) -> list[tuple[str, str, statistics.Interval]]:
    rows = []
    categories = {c for teacher in gathered.teachers for c in teacher.judged.values()}
    for category in sorted(categories) if len(categories) > 1 else []:
        for teacher in gathered.teachers:
            share = teacher.acceptance(
                attempts=1, confidence=gathered.report.confidence, category=category
            )
            if share is not None:
                rows.append((category, teacher.name, share))
    return rows


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
