"""docs/teachers.md: every entry that it shows is one that works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from sourcewise.params.root import parse, read_yaml
from sourcewise.services import config

ROOT = Path(__file__).parents[2]
SHOWN = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/teachers.md").read_text(), re.DOTALL)
# How a teacher is served stands in a file of its own.
SERVICES = [entry for entry in SHOWN if "command:" in entry]
ENTRIES = [entry for entry in SHOWN if entry not in SERVICES]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.partition(":")[0])
def test_an_entry_of_the_page_is_a_valid_teacher(entry: str) -> None:
    content = read_yaml(ROOT / "params.yaml")
    content["teachers"] |= yaml.safe_load(entry)
    [name] = yaml.safe_load(entry)
    assert parse(content, name="params.yaml").teachers[name].revision


@pytest.mark.parametrize(
    "path", ["docs/teachers.md", "workflow/profiles/slurm/services.yaml"], ids=lambda path: path
)
def test_an_entry_of_a_services_file_is_a_valid_service(path: str, tmp_path: Path) -> None:
    text = "".join(SERVICES) if path.endswith(".md") else (ROOT / path).read_text()
    (tmp_path / "services.yaml").write_text(text)
    assert all("$PORT" in one.command for one in config.load(tmp_path / "services.yaml").values())


def test_the_page_shows_each_kind_of_teacher() -> None:
    shown = [next(iter(yaml.safe_load(entry).values())) for entry in ENTRIES]
    assert {one.get("engine") for one in shown} == {"server", "vllm", None}
    assert {"files", "hub"} <= {key for one in shown for key in one.get("import", {})}
