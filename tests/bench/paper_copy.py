"""A working copy of preset `paper` whose jobs only write their outputs, and what its commands cost."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sourcewise.dag.workspace import make

ROOT = Path(__file__).resolve().parents[2]
BODY = Path(__file__).with_name("body")


@dataclass(frozen=True)
class Spent:
    """Seconds of one command: by the clock, and of processor."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Copy:
    """A working copy whose environments hold the trivial body in place of Python."""

    folder: Path

    def environment(self) -> dict[str, str]:
        """The activated environment; only the jobs find other ones."""
        return {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(self.folder / "workflow"),
            "SOURCEWISE_VENVS": str(self.folder.parent / "venvs"),
            "PLANNED": str(self.folder.parent / "planned"),
        }

    def call(self, command: str) -> tuple[str, Spent]:
        """What a command says and costs; raises SystemExit where it fails."""
        before, start = processor(), time.monotonic()
        result = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
        )
        spent = Spent(time.monotonic() - start, processor() - before)
        output = result.stdout + result.stderr
        if result.returncode:
            raise SystemExit(f"bench_dag: `{command}` failed\n{output[-4000:]}")
        return output, spent

    def expect(self, command: str, sign: str) -> Spent:
        """The cost of a command that must say something; raises SystemExit where it does not."""
        output, spent = self.call(command)
        if sign not in output:
            raise SystemExit(f"bench_dag: `{command}` did not say {sign!r}\n{output[-4000:]}")
        return spent

    def edit(self, old: str, new: str) -> None:
        """Replaces a value of params.yaml, which must be there once."""
        path = self.folder / "params.yaml"
        text = path.read_text()
        if text.count(old) != 1:
            raise SystemExit(f"bench_dag: {path} holds {old!r} {text.count(old)} times, not once")
        path.write_text(text.replace(old, new))


def create(room: Path, shards: int) -> Copy:
    for name in ("workflow", "verify", "model"):
        (room / "venvs" / name / "bin").mkdir(parents=True)
        shutil.copy(BODY, room / "venvs" / name / "bin/python")
    os.chdir(ROOT)
    make(room / "copy", ROOT / "workflow/presets/paper.yaml")
    copy = Copy(room / "copy")
    path = copy.folder / "params.yaml"
    params = yaml.safe_load(path.read_text())
    sources = params["sources"]
    _spread(sources, shards)
    # Sources that share shards stand one behind the other.
    owner = {
        name: name if isinstance(one["shards"], int) else one["shards"]
        for name, one in sources.items()
    }
    params["clean"]["order"].sort(
        key=lambda name: (list(sources).index(owner[name]), owner[name] != name)
    )
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    copy.call("dvc config --local core.analytics false")
    commit(copy)
    return copy


def _spread(sources: dict[str, dict[str, Any]], shards: int) -> None:
    """Gives the sources this number of shards in all, in the proportions of the preset."""
    owned = {name: one["shards"] for name, one in sources.items() if isinstance(one["shards"], int)}
    kept = list(owned)[:shards]
    given = {name: max(1, owned[name] * shards // sum(owned.values())) for name in kept}
    while (missing := shards - sum(given.values())) != 0:
        given[max(given, key=lambda name: given[name])] += 1 if missing > 0 else -1
    largest = max(given, key=lambda name: given[name])
    for source in sources.values():
        if source["shards"] in owned and source["shards"] not in kept:
            source["shards"] = largest
    for name in owned:
        sources[name]["shards"] = given.get(name, largest)


def plan(folder: Path, dry_run: str) -> list[str]:
    """Tells the bodies their outputs, by log file; returns all outputs."""
    files: list[str] = []
    for outputs, log in re.findall(r"^    output: (.*)\n    log: (\S+)", dry_run, re.MULTILINE):
        path = folder / log
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(outputs.replace(", ", "\n") + "\n")
        files += outputs.split(", ")
    return files


def commit(copy: Copy) -> None:
    copy.call(
        "git add -A && git -c user.name=bench -c user.email=bench@example.org commit -qm bench"
    )


def processor() -> float:
    """Processor seconds of all processes that this one started and saw end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
