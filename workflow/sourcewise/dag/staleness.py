"""What a stage depends on: `dvc.yaml` declares it, the rules read it from here, nobody writes it twice.

`value` hands a rule a parameter, `code` a hash of a module's import closure. Both refuse what
`dvc.yaml` does not declare for the stage, so the two tools can never disagree about what is stale.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sourcewise.dag import modules
from sourcewise.dag.modules import facts

SOURCES = Path("workflow")


class UndeclaredError(ValueError):
    """A rule uses a parameter or a module that dvc.yaml does not declare for its stage."""


@dataclass(frozen=True)
class Declared:
    """One DVC stage as dvc.yaml declares it: paths and dotted parameter keys."""

    deps: tuple[str, ...]
    params: tuple[str, ...]
    outs: tuple[str, ...]


class Declarations:
    """All stages of a dvc.yaml, resolved against the parameters of this run."""

    def __init__(self, dvc_yaml: Path, params: dict[str, Any]) -> None:
        self.params = params
        self._hashes: dict[tuple[str, ...], str] = {}
        self._values: dict[tuple[str, str, tuple[str, ...]], str] = {}
        # For those who explain: the key behind each value handed out, the files behind each code digest.
        self.keys: dict[tuple[str, str], str] = {}
        self.closures: dict[str, dict[str, str]] = {}
        self.stages = dict(_resolve(yaml.load(dvc_yaml.read_text(), yaml.CSafeLoader), params))

    def value(self, stage: str, key: str, without: tuple[str, ...] = ()) -> str:
        """The JSON of a parameter, as its rule hands it on; raises UndeclaredError, KeyError.

        `without` leaves out entries of a section that do not concern the rule's jobs.
        """
        # Every job of a rule asks for the same: thousands of times at full scale.
        asked = (stage, key, without)
        if asked not in self._values:
            self._values[asked] = self._value(*asked)
        return self._values[asked]

    def _value(self, stage: str, key: str, without: tuple[str, ...]) -> str:
        if not any(key == known or key.startswith(f"{known}.") for known in self._of(stage).params):
            raise UndeclaredError(
                f"a rule of stage {stage!r} uses the parameter {key!r}: add it to the stage's "
                "params in dvc.yaml"
            )
        found: Any = self.params
        for part in key.split("."):
            if part not in found:
                raise KeyError(f"params.yaml has no key {key!r}, which stage {stage!r} needs")
            found = found[part]
        if without:
            found = {name: value for name, value in found.items() if name not in without}
        # DVC compares mappings without their order: so do we.
        value = json.dumps(found, sort_keys=True)
        self.keys[stage, value] = key
        return value

    def inside(self, stage: str, files: Iterable[str]) -> None:
        """Raises UndeclaredError for a data file that DVC would not see: outside the stage's deps."""
        for file in files:
            path = Path(file)
            if linked := next((p for p in path.parents if p.is_symlink()), None):
                raise UndeclaredError(
                    f"{file}, which params.yaml names for stage {stage!r}, lies in {linked}, a link to a "
                    "folder, which DVC does not look into: link the files instead "
                    f"(mkdir {linked}; ln -s /path/of/the/folder/* {linked}/)"
                )
            if ".." in path.parts or not any(
                Path(dep) in (path, *path.parents) for dep in self._of(stage).deps
            ):
                raise UndeclaredError(
                    f"{file}, which params.yaml names for stage {stage!r}, lies outside of what DVC "
                    "watches: put it under data/raw, or link it there (ln -s /path/of/the/file data/raw/) and "
                    f"write data/raw/{path.name}"
                )

    def code(self, stage: str, *modules: str) -> str:
        """A hash over the syntax trees of modules of the package and all they import from it.

        A package stands for all its modules: those that are imported by a name known only at run time.
        """
        asked = (stage, *modules)
        if asked not in self._hashes:
            self._hashes[asked] = self._code(stage, modules)
        return self._hashes[asked]

    def _code(self, stage: str, modules: tuple[str, ...]) -> str:
        roots = [root for module in modules for root in _members(module)]
        files = sorted({file for root in roots for file in closure(root)})
        deps = set(self._of(stage).deps)
        missing = [str(f) for f in files if deps.isdisjoint(map(str, (f, *f.parents)))]
        if missing:
            raise UndeclaredError(
                f"stage {stage!r} runs code of {', '.join(missing)}: add it to the stage's deps "
                "in dvc.yaml"
            )
        hashes = {str(file): facts(file).meaning for file in files}
        digest = hashlib.sha256("".join(hashes.values()).encode()).hexdigest()[:16]
        self.closures[digest] = {file: value[:12] for file, value in hashes.items()}
        return digest

    def _of(self, stage: str) -> Declared:
        if stage not in self.stages:
            raise UndeclaredError(f"dvc.yaml declares no stage {stage!r}: {sorted(self.stages)}")
        return self.stages[stage]


def _resolve(content: dict[str, Any], params: dict[str, Any]) -> Any:
    """Stage name and declaration, `foreach: ${section}` unrolled over the section's keys."""
    for name, body in content["stages"].items():
        if "foreach" not in body:
            yield name, _declared(body)
            continue
        section = body["foreach"].removeprefix("${").removesuffix("}")
        for key in params[section]:
            unrolled = json.loads(json.dumps(body["do"]).replace("${key}", key))
            yield f"{name}@{key}", _declared(unrolled)


def _declared(body: dict[str, Any]) -> Declared:
    return Declared(
        _names(body.get("deps")),
        _names(body.get("params")),
        _names(body.get("outs")) + _names(body.get("metrics")) + _names(body.get("plots")),
    )


def _names(entries: list[Any] | None) -> tuple[str, ...]:
    return tuple(e if isinstance(e, str) else next(iter(e)) for e in entries or ())


def _members(module: str) -> list[str]:
    path = SOURCES.joinpath(modules.PACKAGE, *module.split("."))
    if path.is_dir():
        return [f"{modules.PACKAGE}.{module}.{file.stem}" for file in path.glob("[!_]*.py")]
    if not path.with_suffix(".py").exists():
        raise UndeclaredError(f"a rule names the module {module!r}, but {path}.py does not exist")
    return [f"{modules.PACKAGE}.{module}"]


@functools.cache
def closure(module: str) -> frozenset[Path]:
    """The files of the package that a module imports, itself included, read off the source."""
    files: set[Path] = set()
    todo = [module]
    while todo:
        name = todo.pop()
        file = _file_of(name)
        if file is None or file in files:
            continue
        files.add(file)
        todo += facts(file).imports
    return frozenset(files)


def _file_of(module: str) -> Path | None:
    path = SOURCES.joinpath(*module.split("."))
    package = path / "__init__.py"
    if package.exists():
        # A package that only says what it is decides nothing.
        return package if facts(package).decides else None
    return path.with_suffix(".py") if path.with_suffix(".py").exists() else None
