"""Imports only go down: stages, then what judges and asks, then ledger, tables and params."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "workflow/sourcewise"
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"torch", "transformers", "vllm", "trl", "deepspeed", "datasets", "sentence_transformers"}
HEAVY |= {"accelerate", "math_verify", "snakemake"}
# The seam between the two tools: rule files call it, and nothing else of the package does.
SEAM = {"dag.pipeline", "dag.provenance", "dag.staleness", "dag.workspace", "params.root"}
SEAM |= {"dag.contents", "dag.shards"}


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def _imported(path: Path, *, top_level: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


def _own(path: Path) -> set[str]:
    return {n.removeprefix("sourcewise.") for n in _imported(path) if n.startswith("sourcewise.")}


@pytest.mark.parametrize("path", MODULES, ids=_module)
def test_heavy_libraries_are_imported_inside_functions(path: Path) -> None:
    assert {name.partition(".")[0] for name in _imported(path, top_level=True)} & HEAVY == set()


@pytest.mark.parametrize("family", ["stages", "verifiers", "filters"])
def test_siblings_do_not_import_each_other(family: str) -> None:
    for path in (PACKAGE / family).glob("*.py"):
        assert not {name for name in _own(path) if name.startswith(f"{family}.")}, path


@pytest.mark.parametrize("path", MODULES, ids=_module)
def test_nothing_below_the_stages_imports_them(path: Path) -> None:
    # Commands for people stand above the stages; these two foretell what stages would ask.
    above, foretelling = ("stages", "commands", "__main__"), ("dag.asks", "dag.lacking")
    if _module(path).partition(".")[0] not in above and _module(path) not in foretelling:
        assert not {name for name in _own(path) if name.startswith("stages")}


@pytest.mark.parametrize("base", ["tables", "params.base", "progress"])
def test_the_lowest_layer_imports_nothing_of_ours(base: str) -> None:
    assert _own(PACKAGE.joinpath(*base.split(".")).with_suffix(".py")) == set()


@pytest.mark.parametrize("path", sorted((PACKAGE / "stages").glob("*.py")), ids=_module)
def test_a_stage_does_not_depend_on_all_parameters_or_on_the_tools(path: Path) -> None:
    assert _own(path) & SEAM == set()


def test_only_stages_and_their_storage_open_files() -> None:
    storage = {"tables", "ledger", "corpus.reading"}
    storage |= {"params.root"}
    for path in MODULES:
        if _module(path) in storage or _module(path).startswith(("stages", "report", "engines")):
            continue
        calls = {
            node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
        }
        assert not calls & {"read_parquet", "read_csv", "ParquetFile"}, path


def test_rule_files_import_only_the_parameters_and_the_seam() -> None:
    for path in (PACKAGE.parent / "rules").glob("*.smk"):
        lines = [
            line for line in path.read_text().splitlines() if line.startswith(("from ", "import "))
        ]
        if path.name != "common.smk":
            assert lines == [], path
        own = [line.split()[1] for line in lines if "sourcewise" in line]
        assert set(own) <= {f"sourcewise.{name}" for name in SEAM}
