"""The Python environments: there, complete, and with the versions of their locks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from sourcewise.commands.environment import PACKAGE_ROOT, UsageError, python
from sourcewise.doctor.findings import Finding, count, listed

LOCKS = PACKAGE_ROOT.parent / "envs"
NAMES = ("workflow", "verify", "model")
PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;]+)")


def environments() -> list[Finding]:
    """One line for each environment."""
    return [_environment(name) for name in NAMES]


def _environment(name: str) -> Finding:
    check, again = f"environment {name}", f"rm -rf .venvs/{name} && python3.11 envs/setup.py {name}"
    try:
        interpreter = python(name)
    except UsageError:
        return Finding(check, "problem", "is not installed", f"python3.11 envs/setup.py {name}")
    installed = _installed(interpreter.parent.parent)
    # The environment of models exists for processors and for GPUs.
    locks = [LOCKS / f"{name}.lock"] + [LOCKS / "model-cuda.lock"] * (name == "model")
    others = {lock: _others(lock, installed) for lock in locks if lock.is_file()}
    if not others:
        fix = "git checkout envs"
        return Finding(check, "problem", f"{LOCKS} holds no lock of it", fix)
    lock = min(others, key=lambda one: len(others[one]))
    if others[lock]:
        stamp = f"rm -f .venvs/{name}/lock.sha256 && python3.11 envs/setup.py {name}"
        n = count(len(others[lock]), "package")
        return Finding(
            check,
            "problem",
            f"{n} not as {lock.name} pins: {listed(others[lock])}",
            stamp if lock.name == f"{name}.lock" else again,
        )
    return Finding(check, "ok", f"{count(len(installed), 'package')}, as {lock.name} pins them")


def _installed(environment: Path) -> dict[str, str]:
    """Names and versions by the folders of their metadata."""
    folders = environment.glob("lib/python3.*/site-packages/*.dist-info")
    pairs = (folder.name.removesuffix(".dist-info").rpartition("-") for folder in folders)
    return {_normal(name): version for name, _, version in pairs}


def _others(lock: Path, installed: dict[str, str]) -> list[str]:
    pins = _pins(lock.read_text(encoding="utf-8").splitlines())
    return [
        f"{name} {installed.get(name, 'missing')} instead of {version}"
        for name, version in pins.items()
        if installed.get(name) != version
    ]


def _pins(lines: Iterable[str]) -> dict[str, str]:
    found = (PIN.match(line) for line in lines)
    return {_normal(pin[1]): pin[2] for pin in found if pin}


def _normal(name: str) -> str:
    """One spelling for the many of a distribution's name (packaging.python.org, name normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()
