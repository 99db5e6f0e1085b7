"""What no student can be trained of or on is refused before the first step."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from small_training import EXAMPLES, train

from sourcewise.stages import train as stage


def test_a_base_that_does_not_exist_is_named_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"train\.base: models/pretrained/bse is not a directory"):
        train(tmp_path, Path("models/pretrained/bse"), None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"train\.base: .*empty holds no model"):
        train(tmp_path, tmp_path / "empty", None)


def test_a_batch_that_does_not_divide_among_the_processes_is_refused(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCEWISE_PROCESSES", "3")
    with pytest.raises(ValueError, match=r"global_batch 16 does not divide among 3 processes"):
        train(tmp_path, base, EXAMPLES)


def test_a_base_with_a_shorter_context_than_the_rows_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"max_length 513 exceeds the 512 positions of train.base"):
        train(tmp_path, base, EXAMPLES, max_length=513)
    stretched = tmp_path / "stretched"
    shutil.copytree(base, stretched)
    config = json.loads((stretched / "config.json").read_text())
    config["rope_parameters"] = {"rope_type": "yarn", "factor": 2.0, "rope_theta": 10000.0}
    (stretched / "config.json").write_text(json.dumps(config))
    stage.check_context(stretched, 1024)
    with pytest.raises(ValueError, match="exceeds"):
        stage.check_context(stretched, 1025)


def test_an_empty_dataset_is_refused_with_the_student_and_the_dataset(
    base: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="student s: dataset 'math' has no example"):
        train(tmp_path, base, [])
