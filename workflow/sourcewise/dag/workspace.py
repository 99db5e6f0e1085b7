"""A second working copy beside the first: `python -m sourcewise.dag.workspace FOLDER PRESET`.

One working copy holds one configuration. Another preset runs in a copy of its own, made of the files
that git tracks (as they are now) and the preset as params.yaml; data and models are not copied. A later
call brings the code up to date and leaves data and params.yaml alone.
"""

from __future__ import annotations

import filecmp
import shutil
import subprocess
import sys
from pathlib import Path


def make(folder: Path, preset: Path) -> None:
    """Creates or refreshes a working copy; raises SystemExit where the preset does not exist."""
    if not preset.is_file():
        known = ", ".join(sorted(path.stem for path in preset.parent.glob("*.yaml")))
        raise SystemExit(f"workspace: there is no preset {preset}: choose from {known}")
    root = Path(_git("rev-parse", "--show-toplevel").strip())
    fresh = not (folder / "params.yaml").exists()
    for name in _git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if name and name not in ("params.yaml", "dvc.lock") and (root / name).is_file():
            _update(root / name, folder / name)
    if fresh:
        shutil.copyfile(preset, folder / "params.yaml")
        _git("init", "--quiet", str(folder))
    _link(folder / ".venvs", root / ".venvs")
    # Presets name data beside the repository under data/raw, where the pipeline looks for raw files;
    # file by file, because DVC does not look into linked folders.
    shared = root.parent / "shared/data"
    if shared.is_dir():
        _link(folder.parent / "shared", shared.parent)
        for file in shared.rglob("*"):
            if file.is_file():
                _link(folder / "data/raw/shared" / file.relative_to(shared), file)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def _update(source: Path, copy: Path) -> None:
    # An unchanged file keeps its time: newer code would look like an edit.
    if copy.exists() and filecmp.cmp(source, copy, shallow=False):
        return
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, copy)


def _link(link: Path, target: Path) -> None:
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        # Absolute: a copy of this copy, as DVC makes them for experiments, lies elsewhere.
        link.symlink_to(target.absolute())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python -m sourcewise.dag.workspace FOLDER PRESET")
    make(Path(sys.argv[1]), Path(sys.argv[2]))
