"""params.yaml as one typed, frozen model; every mistake is an error that names its key."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Annotated, Any, Self, get_args, get_origin

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from sourcewise.params.base import Section, Whole
from sourcewise.params.datasets import Dataset, Filter, LengthsFilter
from sourcewise.params.distill import Distill, Perplexity, Teacher, Verifiers
from sourcewise.params.models import Pretrain
from sourcewise.params.queries import Benchmark, Cleaning, Decontaminate, Source
from sourcewise.params.rates import Rates
from sourcewise.params.students import BenchmarkSampling, Report, Student, Train

# Names become file names, wildcards, dotted keys and DVC stage names.
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]


class ParamsError(ValueError):
    """params.yaml cannot be used; the message names each key and the remedy."""


class Params(Section):
    """The whole of params.yaml."""

    seed: Whole
    models: dict[Name, Pretrain]
    sources: Annotated[dict[Name, Source], Field(min_length=1)]
    clean: Cleaning
    decontaminate: Decontaminate
    teachers: Annotated[dict[Name, Teacher], Field(min_length=1)]
    distill: Distill
    verifiers: Verifiers
    perplexity: Perplexity
    filters: dict[Name, Filter]
    datasets: Annotated[dict[Name, Dataset], Field(min_length=1)]
    train: Train
    students: Annotated[dict[Name, Student], Field(min_length=1)]
    sampling: BenchmarkSampling
    benchmarks: Annotated[dict[Name, Benchmark], Field(min_length=1)]
    report: Report
    rates: Rates | None = None

    @model_validator(mode="after")
    def _references(self) -> Self:
        owners = {name: one for name, one in self.sources.items() if isinstance(one.shards, int)}
        for name, source in self.sources.items():
            if isinstance(source.shards, str):
                _known(f"sources.{name}.shards", source.shards, owners)
        for name in self.clean.order:
            _known("clean.order", name, self.sources)
        if missing := [name for name in self.sources if name not in self.clean.order]:
            raise ValueError(
                f"clean.order lacks {missing[0]!r}: add it, last where no other source's queries are to "
                "change"
            )
        for before, name in zip((None, *self.clean.order), self.clean.order, strict=False):
            joins = self.sources[name].shards
            if isinstance(joins, str) and before not in (joins, *self._joined(joins)):
                raise ValueError(
                    f"clean.order: {name!r} joins the shards of {joins!r}, so it stands right behind it"
                )
        for name, dataset in self.datasets.items():
            where = f"datasets.{name}"
            for teacher in (*dataset.teachers, *dataset.solved_by):
                _known(f"{where}.teachers", teacher, self.teachers)
            for filter_name in dataset.filters:
                _known(f"{where}.filters", filter_name, self.filters)
            self._lengths(name, dataset)
            if dataset.min_score is not None and dataset.min_score > self.distill.stop_score:
                raise ValueError(
                    f"{where}.min_score is {dataset.min_score}, but the loop stops at distill.stop_score "
                    f"{self.distill.stop_score}: raise distill.stop_score"
                )
        for name, student in self.students.items():
            if student.dataset is not None:
                _known(f"students.{name}.dataset", student.dataset, self.datasets)
        if (self.train.epochs is None) == (self.train.max_steps is None):
            raise ValueError(
                "train: give exactly one of the keys 'epochs' and 'max_steps' (the other null)"
            )
        for name in self.rates.teachers if self.rates else ():
            _known("rates.teachers", name, self.teachers)
        if self.report.reference is not None:
            _known("report.reference", self.report.reference, self.students)
        return self

    def _lengths(self, name: str, dataset: Dataset) -> None:
        """A recipe whose lengths are matched names another dataset, which does not wait for this one."""
        where = f"datasets.{name}.lengths_of"
        matched = [one for one in dataset.filters if _is_matched(self.filters[one])]
        if bool(matched) != (dataset.lengths_of is not None):
            raise ValueError(
                f"{where} names the dataset whose lengths a filter with 'shares: matched' takes over: "
                + (
                    f"the filter {matched[0]!r} needs it"
                    if matched
                    else "no filter does; set it null"
                )
            )
        seen, other = [name], dataset.lengths_of
        while other is not None:
            _known(where, other, self.datasets)
            if other in seen:
                raise ValueError(f"{where}: {' waits for '.join([*seen, other])}")
            seen.append(other)
            other = self.datasets[other].lengths_of

    def _joined(self, owner: str) -> list[str]:
        return [name for name, source in self.sources.items() if source.shards == owner]


def _is_matched(spec: Filter) -> bool:
    return isinstance(spec, LengthsFilter) and spec.shares == "matched"


def _known(where: str, name: str, known: dict[str, Any]) -> None:
    if name not in known:
        raise ValueError(f"{where}: {name!r} is not one of {sorted(known)}{_nearest(name, known)}")


def _nearest(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def load(path: Path) -> Params:
    """Reads and checks a params.yaml; raises ParamsError with one line per mistake."""
    return parse(read_yaml(path), name=str(path))


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds; raises ParamsError where it holds none."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(
            f"{path} does not exist: copy one of workflow/presets/*.yaml to it"
        ) from None
    except yaml.YAMLError as error:
        raise ParamsError(f"{path} is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise ParamsError(
            f"{path} does not hold a mapping of sections, but {type(content).__name__}"
        )
    return content


def parse(content: dict[str, Any], *, name: str) -> Params:
    """The typed parameters of a mapping; `name` stands in messages."""
    try:
        # YAML has no tuples: sequences arrive as lists, which strict mode takes in JSON only.
        return Params.model_validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        lines = [_explain(entry) for entry in error.errors()]
        raise ParamsError(f"{name}: " + "\n".join(lines)) from None


def _explain(entry: Any) -> str:
    loc = [str(part) for part in entry["loc"]]
    # A filter's kind, by which its model is chosen, is no part of its key.
    key = ".".join(loc[:2] + loc[3:] if loc[:1] == ["filters"] and len(loc) > 3 else loc)
    if entry["type"] == "extra_forbidden":
        return f"unknown key {key}{_nearest(loc[-1], _keys_beside(loc))}"
    if entry["type"] == "missing":
        return f"missing key {key}"
    message = entry["msg"].removeprefix("Value error, ")
    if not key:
        return message
    given = entry["input"]
    shown = (
        ""
        if isinstance(given, dict | list) or entry["type"] == "value_error"
        else f" (given: {given!r})"
    )
    if entry["type"] == "float_type" and isinstance(given, str):
        shown += "; YAML reads a number such as 8e-5 as text: write 8.0e-5"
    return f"{key}: {message}{shown}"


def _keys_beside(loc: list[str]) -> list[str]:
    """The keys that are valid where the last part of `loc` stands."""
    models: list[Any] = [Params]
    for part in loc[:-1]:
        step: list[Any] = []
        for model in models:
            field = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
            step += _models_in(field.annotation) if field is not None else [model]
        models = step
    return [field.alias or name for model in models for name, field in model.model_fields.items()]


def _models_in(annotation: Any) -> list[Any]:
    if (
        isinstance(annotation, type)
        and issubclass(annotation, BaseModel)
        and get_origin(annotation) is None
    ):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]
