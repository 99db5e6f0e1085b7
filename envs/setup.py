"""Makes the project's environments on a fresh machine: `python3.11 envs/setup.py [ENV …]`.

Standard library only, since nothing is installed yet. Each environment is a virtual environment in
`.venvs/NAME` with exactly the packages of `envs/NAME.lock`; one that is up to date is left alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / ".venvs"
UV = "uv==0.13.8"
# On disk, byte-compiled, as measured on Debian 12; for the message only.
SIZES = {"workflow": "950 MB", "verify": "250 MB", "model": "2.6 GB"}
# What the pipeline calls besides Python: program, Debian package, what for.
PROGRAMS = (
    ("git", "git", "versions of code and parameters"),
    ("bwrap", "bubblewrap", "the sandbox in which programs written by models run"),
    ("g++", "g++", "C++ answers, and kernels that torch compiles"),
)
# Working copies may share these environments: each runs its own code.
COMMAND = """#!/bin/sh
if [ -f workflow/sourcewise/__main__.py ]; then
  export PYTHONPATH="$PWD/workflow${PYTHONPATH:+:$PYTHONPATH}"
fi
exec "$(dirname "$0")/python" -m sourcewise "$@"
"""


def main(names: list[str]) -> None:
    """Installs the named environments, all of them by default."""
    if sys.version_info[:2] != (3, 11):
        found = ".".join(map(str, sys.version_info[:3]))
        raise SystemExit(
            f"setup: Sourcewise needs Python 3.11 (its locks are for 3.11), this is {found}: install "
            "it (Debian 12: apt-get install python3.11 python3.11-venv) and run "
            "`make PYTHON=python3.11 …`"
        )
    _programs()
    unknown = sorted(set(names) - set(SIZES))
    if unknown:
        raise SystemExit(f"setup: unknown environments {unknown}: choose from {sorted(SIZES)}")
    for name in names or list(SIZES):
        _environment(name)
        if name == "workflow":
            _command(VENVS / name / "bin/sourcewise")


def _command(path: Path) -> None:
    """Writes the command `sourcewise`, which runs the code of the working copy it is called in."""
    if not path.exists() or path.read_text() != COMMAND:
        path.write_text(COMMAND)
        path.chmod(0o755)


def _programs() -> None:
    missing = [
        (program, package, use) for program, package, use in PROGRAMS if not shutil.which(program)
    ]
    if importlib.util.find_spec("ensurepip") is None:
        missing.append(("venv", f"python3.{sys.version_info[1]}-venv", "Python's environments"))
    if not missing:
        return
    packages = [package for _, package, _ in missing]
    command = f"apt-get install --yes --no-install-recommends {' '.join(packages)}"
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _say(f"installing the system packages {' '.join(packages)} (about 1 minute)")
        _run(["apt-get", "update", "-qq"])
        _run([*command.split(), "-qq"])
        return
    lines = [f"  {program}: {use}" for program, _, use in missing]
    raise SystemExit(
        "\n".join(["setup: missing programs:", *lines, f"install them: sudo {command}"])
    )


def _environment(name: str) -> None:
    lock = ROOT / "envs" / f"{name}.lock"
    venv = VENVS / name
    stamp = venv / "lock.sha256"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    _say(f"installing environment {name}: {SIZES[name]}, seconds from a cache, else some minutes")
    start = time.monotonic()
    uv = _uv()
    if not (venv / "bin/python").exists():
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(venv)])
    # sync also removes what the lock no longer names.
    _run(
        [
            uv,
            "pip",
            "sync",
            "--quiet",
            "--compile-bytecode",
            "--python",
            str(venv / "bin/python"),
            str(lock),
        ],
        name,
    )
    packages = next((venv / "lib").glob("python3.*")) / "site-packages"
    (packages / "sourcewise.pth").write_text(f"{ROOT / 'workflow'}\n")
    stamp.write_text(digest)
    _say(f"environment {name} is ready after {time.monotonic() - start:.0f} s")


def _uv() -> str:
    tool = VENVS / "tools/bin/uv"
    if not tool.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENVS / "tools")], check=True)
        _run([str(VENVS / "tools/bin/pip"), "install", "--quiet", UV])
    return str(tool)


def _run(command: list[str], name: str = "") -> None:
    result = subprocess.run(command, env={**os.environ, **_indexes()})
    if result.returncode == 0:
        return
    remedy = "is the network, or the mirror that pip is configured with, reachable?"
    if name == "model":
        remedy += (
            " The CPU build of torch (2.13.0+cpu) lies on PyTorch's own index for CPU wheels: name it "
            "in PIP_EXTRA_INDEX_URL if pip is not configured with it."
        )
    raise SystemExit(f"setup: `{' '.join(command)}` failed: {remedy}")


def _indexes() -> dict[str, str]:
    """What pip is configured with, as uv wants to be told: uv does not read pip's settings."""
    translated = {
        "index-url": "UV_DEFAULT_INDEX",
        "extra-index-url": "UV_INDEX",
        "find-links": "UV_FIND_LINKS",
    }
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True
    )
    found: dict[str, str] = {}
    for line in listing.stdout.splitlines():
        key, _, value = line.partition("=")
        option = translated.get(key.rpartition(".")[2])
        if option:
            found[option] = " ".join(value.strip("'\"").replace("\\n", " ").split())
    if "UV_FIND_LINKS" in found:
        found["UV_FIND_LINKS"] = found["UV_FIND_LINKS"].replace(" ", ",")
    # Like pip: the best version of all indexes, not of the first one that knows the name.
    found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {option: value for option, value in found.items() if option not in os.environ}


def _say(text: str) -> None:
    print(f"setup: {text}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
