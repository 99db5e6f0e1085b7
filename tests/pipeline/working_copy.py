"""A working copy of the project and the commands that a person types in it."""

import os
import subprocess
from pathlib import Path

from sourcewise.dag.workspace import make

ROOT = Path(__file__).resolve().parents[2]
PATH = f"{ROOT / '.venvs/workflow/bin'}:{os.environ['PATH']}"


class Copy:
    """A working copy and the commands a person types in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def environment(self) -> dict[str, str]:
        """The activated environment, with this copy's code."""
        own = {"PATH": PATH, "PYTHONPATH": f"{self.folder / 'workflow'}"}
        return {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", **own}

    def say(self, command: str) -> tuple[int, str]:
        """Exit code and words of a command."""
        result = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
        )
        return result.returncode, result.stdout + result.stderr

    def call(self, command: str) -> str:
        """Words of a command that must succeed."""
        code, said = self.say(command)
        assert code == 0, f"{command}\n{said[-6000:]}"
        return said

    def refused(self, command: str) -> str:
        """Words of a command that must fail."""
        code, said = self.say(command)
        assert code != 0, f"{command}\n{said[-6000:]}"
        return said

    def planned(self, target: str = "") -> dict[str, int]:
        """Rules that a dry run would execute, with their number of jobs; target rules left out."""
        output = self.call(f"snakemake {target} -n --quiet rules")
        if "Nothing to be done" in output:
            return {}
        jobs = {}
        for line in output.splitlines():
            name, _, number = line.partition(" ")
            if number.strip().isdigit() and name not in ("total", "all"):
                jobs[name] = int(number)
        return {name: n for name, n in jobs.items() if not name.startswith("stage_")}

    def edit(self, old: str, new: str) -> None:
        """Replaces text in params.yaml."""
        path = self.folder / "params.yaml"
        text = path.read_text()
        assert text.count(old) >= 1, old
        path.write_text(text.replace(old, new))

    def commit(self, message: str) -> None:
        """Commits everything that git does not ignore."""
        identity = "-c user.name=test -c user.email=test@example.org"
        self.call(f"git add -A && git {identity} commit -qm '{message}'")

    def twin(self, folder: Path) -> "Copy":
        """An independent copy of this working copy as it is, with its data and Snakemake's records."""
        subprocess.run(["cp", "-a", str(self.folder), str(folder)], check=True)
        return Copy(folder)


def copy_of(folder: Path, preset: str = "test") -> Copy:
    """A new working copy of a preset, code committed, nothing made."""
    make(folder, ROOT / f"workflow/presets/{preset}.yaml")
    copy = Copy(folder)
    copy.call("dvc config --local core.analytics false")
    copy.commit("code")
    return copy
