"""What the params.yaml of this working copy asks of a machine."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from sourcewise.doctor.findings import Finding
from sourcewise.params.judge import Judge
from sourcewise.params.root import Params, ParamsError, load


class Needs(NamedTuple):
    """Repositories of the hub, teachers that a server answers for and what it calls them, judged categories."""

    hub: tuple[str, ...] = ()
    served: tuple[str, ...] = ()
    served_models: tuple[str, ...] = ()
    judged: tuple[str, ...] = ()


def read() -> tuple[Needs, list[Finding]]:
    """What is needed, and whether params.yaml could be read."""
    check, file = "params.yaml", Path("params.yaml")
    if not file.is_file():
        seen = f"{Path.cwd()} is no working copy"
        return Needs(), [Finding(check, "problem", seen, "cd to the folder of the Snakefile")]
    try:
        params = load(file)
    except (ParamsError, OSError) as error:
        first, *rest = str(error).splitlines()
        return Needs(), [Finding(check, "problem", first, "\n".join(rest) or "correct the key")]
    return _needs(params), [Finding(check, "ok", "every value is valid")]


def _needs(params: Params) -> Needs:
    origins = [*params.sources.values(), *(one.queries for one in params.benchmarks.values())]
    hub = [origin.hub.repo for origin in origins if origin.hub]
    hub += [
        one.imported.hub.repo
        for one in params.teachers.values()
        if one.imported and one.imported.hub
    ]
    asked = {name: one for name, one in params.teachers.items() if one.engine is not None}
    models = [one.model for one in asked.values() if one.model and one.engine != "server"]
    models += [*(scorer.model for scorer in params.scorers), params.train.base]
    # A folder, or a name of the section models, is made or kept here.
    hub += [model for model in models if not _is_here(model, params)]
    served = {name: one.model for name, one in asked.items() if one.engine == "server"}
    judged = [
        name
        for name in ("science", "dialogue")
        if isinstance(getattr(params.verifiers, name), Judge)
        and any(source.category == name for source in params.sources.values())
    ]
    return Needs(
        tuple(dict.fromkeys(hub)),
        tuple(served),
        tuple(model for model in served.values() if model),
        tuple(judged),
    )


def _is_here(model: str, params: Params) -> bool:
    return model in params.models or Path(model).is_absolute() or model.startswith(("models/", "."))
