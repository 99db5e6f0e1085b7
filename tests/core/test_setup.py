"""Set-up: a machine that lacks something is told what, and how to get it."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def setup() -> ModuleType:
    spec = importlib.util.spec_from_file_location("environments", ROOT / "envs/setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_old_python_is_refused(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 .* this is 3\.9\.2: install it"):
        setup.main([])


def test_missing_programs_are_named_with_their_packages(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(
        SystemExit, match=r"bwrap: the sandbox[\s\S]*sudo apt-get install .*bubblewrap"
    ):
        setup.main([])


def test_an_unknown_environment_is_refused(setup: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"unknown environments \['modle'\]: choose from"):
        setup.main(["modle"])


def test_no_network_is_said_with_its_remedy(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "envs", tmp_path / "envs")
    nowhere = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    silence = {"PIP_RETRIES": "0", "PIP_TIMEOUT": "2", "PIP_FIND_LINKS": ""}
    result = subprocess.run(
        [sys.executable, tmp_path / "envs/setup.py", "verify"],
        env={**os.environ, **nowhere, **silence},
        capture_output=True,
        text=True,
    )
    assert result.returncode != 0
    assert "is the network, or the mirror that pip is configured with, reachable?" in result.stderr


def test_every_pinned_package_of_a_lock_is_asked_for_or_needed(setup: ModuleType) -> None:
    for name in setup.SIZES:
        locked = (ROOT / f"envs/{name}.lock").read_text().lower()
        asked = [
            line.split("#")[0].strip().lower()
            for line in (ROOT / f"envs/{name}.in").read_text().splitlines()
        ]
        for requirement in filter(None, asked):
            package, _, version = requirement.partition("==")
            package = package.partition("[")[0].partition(">")[0].replace("_", "-")
            assert f"{package}=={version}" in locked, requirement
