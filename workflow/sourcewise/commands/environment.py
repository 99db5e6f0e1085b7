"""The environments of judging and of models, for commands that people start in another one."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
PURPOSES = {
    "workflow": "jobs are started",
    "verify": "answers are judged",
    "model": "models are asked",
}


class UsageError(ValueError):
    """A command cannot do what it was asked for; the message is one line that says why and what to do."""


def is_here() -> bool:
    """Whether this Python is the one that judges: only its environment has math-verify."""
    return importlib.util.find_spec("math_verify") is not None


def python(name: str = "verify") -> Path:
    """The Python of an environment, beside the one that runs this or in $SOURCEWISE_VENVS.

    Raises UsageError where there is none.
    """
    found = _environments() / name / "bin/python"
    if not found.is_file():
        raise UsageError(
            f"{found} does not exist, and {PURPOSES[name]} in the environment {name}: make it "
            f"(python3.11 envs/setup.py {name}) or name the folder of the environments in "
            "SOURCEWISE_VENVS"
        )
    return found


def variables() -> dict[str, str]:
    """The environment variables of that Python: this code, and the Python that runs a reward model."""
    path = [str(PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    model = _environments() / "model/bin/python"
    if model.is_file():
        found.setdefault("SOURCEWISE_MODEL_PYTHON", str(model))
    return found


def hand_over(arguments: Sequence[str]) -> NoReturn:
    """Goes on as `sourcewise ARGUMENTS` in the environment that judges."""
    target = python()
    if target.parent.parent.resolve() == Path(sys.prefix).resolve():
        raise UsageError(f"{target} lacks math-verify: run python3.11 envs/setup.py verify")
    command = [str(target), "-m", "sourcewise", *arguments]
    os.execve(target, command, variables())


def _environments() -> Path:
    return Path(os.environ.get("SOURCEWISE_VENVS") or Path(sys.prefix).parent)
