"""manifest: what a corpus or a teacher consists of, by content."""

import hashlib
import json
from pathlib import Path

import pytest

from sourcewise.recipes import manifests
from sourcewise.stages import manifest

HEADER = {"teacher": "t", "attempts": 2, "shards": ["a-0000", "b-0000"]}
PATTERNS = ["round-{attempt}/{shard}.verdicts.parquet", "perplexity/{shard}.parquet"]


def _made(folder: Path) -> Path:
    for name in (name for pattern in PATTERNS for name in manifest.expanded(pattern, HEADER)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    out = folder / "manifest.json"
    manifest.run(name="t", header=HEADER, patterns=PATTERNS, folder=folder, out=out)
    return out


def test_it_names_every_file_of_all_rounds_and_shards_with_its_content(tmp_path: Path) -> None:
    found = json.loads(_made(tmp_path).read_text())["files"]
    assert len(found) == 2 * 2 + 2
    name = "round-2/b-0000.verdicts.parquet"
    assert found[name] == hashlib.md5(name.encode()).hexdigest()


def test_it_changes_when_one_file_holds_something_else(tmp_path: Path) -> None:
    out = _made(tmp_path)
    before = out.read_bytes()
    assert _made(tmp_path).read_bytes() == before
    (tmp_path / "perplexity/a-0000.parquet").write_text("other")
    manifest.run(name="t", header=HEADER, patterns=PATTERNS, folder=tmp_path, out=out)
    assert out.read_bytes() != before


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    out = _made(tmp_path)
    (tmp_path / "round-1/a-0000.verdicts.parquet").unlink()
    with pytest.raises(FileNotFoundError, match=r"round-1/a-0000"):
        manifest.run(name="t", header=HEADER, patterns=PATTERNS, folder=tmp_path, out=out)


def test_the_stages_read_it(tmp_path: Path) -> None:
    read = manifests.distilled(_made(tmp_path))
    assert read.teacher == "t"
    assert read.verdicts(2, "b-0000").exists()
