"""Staleness: dvc.yaml declares, rules read, and what is not declared is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sourcewise.dag import modules, staleness
from sourcewise.dag.staleness import Declarations, UndeclaredError

PARAMS: dict[str, Any] = {"teachers": {"a": {"t": 1.0}, "b": {"t": 2.0}}, "loop": {"max": 3}}
DVC = {
    "stages": {
        "distill": {
            "foreach": "${teachers}",
            "do": {
                "cmd": "make ${key}",
                "deps": ["workflow/pkg/stages/ask.py", "workflow/pkg/words.py"],
                "params": ["teachers.${key}", "loop.max"],
                "outs": [{"data/${key}": {"persist": True}}],
            },
        },
        "report": {"cmd": "make report", "deps": ["workflow/pkg"], "params": ["loop"]},
    }
}


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Declarations:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(modules, "PACKAGE", "pkg")
    for cache in (staleness.closure, modules.facts, modules._known):
        cache.cache_clear()
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(DVC))
    package = tmp_path / "workflow/pkg"
    (package / "stages").mkdir(parents=True)
    (package / "stages/ask.py").write_text('"""Asks."""\nfrom pkg.words import GREETING\n')
    (package / "words.py").write_text("GREETING = 'hello'\n")
    (package / "other.py").write_text("import pkg.words\n")
    return Declarations(Path("dvc.yaml"), PARAMS)


def _again() -> Declarations:
    for cache in (staleness.closure, modules.facts, modules._known):
        cache.cache_clear()
    return Declarations(Path("dvc.yaml"), PARAMS)


def test_a_family_has_one_stage_per_key(declared: Declarations) -> None:
    assert set(declared.stages) == {"distill@a", "distill@b", "report"}
    assert declared.stages["distill@a"].outs == ("data/a",)


def test_a_declared_parameter_is_handed_over(declared: Declarations) -> None:
    assert declared.value("distill@a", "teachers.a") == '{"t": 1.0}'
    assert declared.value("distill@a", "loop.max") == "3"


@pytest.mark.parametrize("key", ["teachers.b", "loop", "loop.maximum"])
def test_an_undeclared_parameter_is_refused(declared: Declarations, key: str) -> None:
    with pytest.raises(
        UndeclaredError, match=rf"'distill@a' uses the parameter '{key}'.*dvc\.yaml"
    ):
        declared.value("distill@a", key)


def test_an_unknown_stage_is_refused(declared: Declarations) -> None:
    with pytest.raises(UndeclaredError, match="declares no stage 'distil@a'"):
        declared.value("distil@a", "teachers.a")


def test_an_undeclared_import_is_refused(declared: Declarations) -> None:
    with pytest.raises(UndeclaredError, match=r"'distill@a' runs code of workflow/pkg/other\.py"):
        declared.code("distill@a", "stages.ask", "other")


def test_a_module_that_does_not_exist_is_refused(declared: Declarations) -> None:
    with pytest.raises(UndeclaredError, match=r"'stages\.asks'"):
        declared.code("distill@a", "stages.asks")


def test_a_change_in_an_imported_module_changes_the_code(declared: Declarations) -> None:
    before = declared.code("distill@a", "stages.ask")
    Path("workflow/pkg/words.py").write_text("GREETING = 'good day'\n")
    assert _again().code("distill@a", "stages.ask") != before


@pytest.mark.parametrize(
    "text",
    [
        "# why\nGREETING = 'hello'\n",
        "GREETING = (\n    'hello'\n)\n",
        '"""Words."""\nGREETING = "hello"\n',
    ],
    ids=["comment", "layout", "docstring"],
)
def test_comments_layout_and_docstrings_do_not(declared: Declarations, text: str) -> None:
    before = declared.code("distill@a", "stages.ask")
    Path("workflow/pkg/words.py").write_text(text)
    assert _again().code("distill@a", "stages.ask") == before
