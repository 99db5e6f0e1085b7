"""What a stage depends on: `dvc.yaml` declares it, the rules read it from here, nobody writes it twice.

`value` hands a rule a parameter, `code` a hash of a module's import closure. Both refuse what
`dvc.yaml` does not declare for the stage, so the two tools can never disagree about what is stale.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PACKAGE = "sourcewise"
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
        self._params = params
        self._hashes: dict[tuple[str, ...], str] = {}
        self.stages = dict(_resolve(yaml.safe_load(dvc_yaml.read_text()), params))

    def value(self, stage: str, key: str) -> str:
        """The JSON of a parameter, as its rule hands it on; raises UndeclaredError, KeyError."""
        if not any(key == known or key.startswith(f"{known}.") for known in self._of(stage).params):
            raise UndeclaredError(
                f"a rule of stage {stage!r} uses the parameter {key!r}: add it to the stage's "
                "params in dvc.yaml"
            )
        found: Any = self._params
        for part in key.split("."):
            if part not in found:
                raise KeyError(f"params.yaml has no key {key!r}, which stage {stage!r} needs")
            found = found[part]
        return json.dumps(found)

    def code(self, stage: str, *modules: str) -> str:
        """A hash over the syntax trees of modules of the package and all they import from it.

        A package stands for all its modules: those that are imported by a name known only at run time.
        """
        # Every job of a rule asks for the same: thousands of times at full scale.
        asked = (stage, *modules)
        if asked not in self._hashes:
            self._hashes[asked] = self._code(stage, modules)
        return self._hashes[asked]

    def _code(self, stage: str, modules: tuple[str, ...]) -> str:
        roots = [root for module in modules for root in _members(module)]
        files = sorted({file for root in roots for file in closure(root)})
        deps = [Path(dep) for dep in self._of(stage).deps]
        missing = [str(f) for f in files if not any(dep in (f, *f.parents) for dep in deps)]
        if missing:
            raise UndeclaredError(
                f"stage {stage!r} runs code of {', '.join(missing)}: add it to the stage's deps "
                "in dvc.yaml"
            )
        return hashlib.sha256("".join(map(_tree_hash, files)).encode()).hexdigest()[:16]

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
    path = SOURCES.joinpath(PACKAGE, *module.split("."))
    if path.is_dir():
        return [f"{PACKAGE}.{module}.{file.stem}" for file in path.glob("[!_]*.py")]
    if not path.with_suffix(".py").exists():
        raise UndeclaredError(f"a rule names the module {module!r}, but {path}.py does not exist")
    return [f"{PACKAGE}.{module}"]


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
        todo += _imports(file)
    return frozenset(files)


def _file_of(module: str) -> Path | None:
    path = SOURCES.joinpath(*module.split("."))
    package = path / "__init__.py"
    if package.exists():
        # A package that only says what it is decides nothing.
        return package if any(not isinstance(n, ast.Expr) for n in _tree(package).body) else None
    return path.with_suffix(".py") if path.with_suffix(".py").exists() else None


def _imports(file: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.partition(".")[0] == PACKAGE]


@functools.cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


@functools.cache
def _tree_hash(file: Path) -> str:
    # The dump leaves out positions and comments: reformatting makes nothing stale. Docstrings are
    # expressions of the tree, but no result depends on them.
    tree = _tree(file)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, documented) and ast.get_docstring(node) is not None and body:
            body[:] = body[1:]
    return hashlib.sha256(f"{file}\n{ast.dump(tree)}".encode()).hexdigest()
