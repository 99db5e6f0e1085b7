"""Provenance that travels with the data: what each file was made from, as an output of each DVC stage.

Snakemake keeps its records in `.snakemake/`, which no clone has, and compares modification times, which
DVC does not keep. A sidecar per DVC stage (`data/prov/STAGE.jsonl.gz`, a DVC output) holds a `Trace` per
file: both of these, and the contents of the file and of its inputs.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sourcewise.pretrained import FINGERPRINT

STATE = Path(".snakemake")


@dataclass(frozen=True)
class Trace:
    """What one file holds and was made from; `made_from` is a digest over the contents of all inputs."""

    file: str
    size: int
    md5: str
    mtime_ns: int
    made_from: str | None
    params: dict[str, str]
    record: dict[str, Any]

    def lies_there(self) -> bool:
        """Whether the file has the size and time that this trace speaks of."""
        return stat_of(self.file) == (self.size, self.mtime_ns)


@dataclass
class Sidecar:
    """What is known of a DVC stage: the traces of its files, and the files behind each code digest.

    `unnamed` are files that no rule names, but that jobs or people rely on: the rest of a model's folder,
    ledgers, the report's small tables; size and md5 of each.
    """

    traces: dict[str, Trace] = field(default_factory=dict)
    code: dict[str, dict[str, str]] = field(default_factory=dict)
    unnamed: dict[str, tuple[int, str]] = field(default_factory=dict)


def named_params(job: Any) -> dict[str, str]:
    """What a job is handed, by name; what is no text as JSON."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, default=str)
        for name, value in job.params.items()
    }


def seal_of(file: str) -> str | None:
    """The named file whose job also makes an unnamed one; a ledger has none: nothing makes it anew."""
    if file.startswith("data/report/"):
        return "data/report/summary.json"
    seal = f"{os.path.dirname(file)}/{FINGERPRINT}"
    return seal if os.path.exists(seal) else None


def looked_after(file: str) -> bool:
    """Whether a file that no rule names is one that jobs or people rely on."""
    named = os.path.basename(file) == FINGERPRINT or os.path.dirname(file) == "data/report"
    return not named and (
        os.path.basename(os.path.dirname(file)) == "ledger" or bool(seal_of(file))
    )


def sidecar(stage: str) -> Path:
    """Where the provenance of a DVC stage lies."""
    return Path("data/prov") / f"{stage}.jsonl.gz"


def read(stage: str) -> Sidecar:
    """The sidecar of a stage, empty where there is none; raises ValueError where it is torn."""
    path, result = sidecar(stage), Sidecar()
    if not path.exists():
        return result
    try:
        for line in gzip.decompress(path.read_bytes()).decode().splitlines():
            entry = json.loads(line)
            if "code" in entry:
                result.code[entry["code"]] = entry["files"]
            elif "unnamed" in entry:
                result.unnamed[entry["unnamed"]] = (entry["size"], entry["md5"])
            else:
                result.traces[entry["file"]] = Trace(**entry)
    except (OSError, EOFError, ValueError, TypeError) as error:
        raise ValueError(
            f"{path} cannot be read ({error}): `dvc checkout {path}` brings it back; without it "
            "(delete it) the stage is made anew"
        ) from None
    return result


def write(stage: str, content: Sidecar) -> None:
    """Writes the sidecar of a stage; unchanged means untouched."""
    lines: list[dict[str, Any]] = [
        {"code": digest, "files": files} for digest, files in sorted(content.code.items())
    ]
    lines += [
        {"unnamed": file, "size": size, "md5": md5}
        for file, (size, md5) in sorted(content.unnamed.items())
    ]
    lines += [asdict(content.traces[file]) for file in sorted(content.traces)]
    text = "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines)
    packed = gzip.compress(text.encode(), mtime=0)
    path = sidecar(stage)
    if not path.exists() or path.read_bytes() != packed:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(packed)
        partial.replace(path)
    remember(stage, content)


def stat_of(file: str) -> tuple[int, int] | None:
    """Size and modification time of a file; None where there is none."""
    try:
        found = os.stat(file)
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def _memory(stage: str) -> Path:
    return STATE / "sourcewise/known" / f"{stage}.json"


def recall(stage: str) -> dict[str, Any]:
    """How this copy last left a stage: the digest of its sidecar, and size and time of its files."""
    path = _memory(stage)
    try:
        return dict(json.loads(path.read_text()))
    except (FileNotFoundError, ValueError):
        return {}


def remember(stage: str, content: Sidecar) -> None:
    """Notes down how this copy leaves a stage."""
    files = {trace.file: [trace.size, trace.mtime_ns] for trace in content.traces.values()}
    unnamed = {file: [*known, stat_of(file)] for file, known in content.unnamed.items()}
    _note(stage, {"sidecar": digest_of(sidecar(stage)), "files": files, "unnamed": unnamed})


def forget(stage: str, file: str) -> None:
    """Lets a file be looked into at the next reading."""
    memory = recall(stage)
    memory["files"].pop(file, None)
    _note(stage, memory)


def _note(stage: str, memory: dict[str, Any]) -> None:
    path = _memory(stage)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(memory))
    partial.replace(path)


def digest_of(path: Path) -> str | None:
    """SHA-256 of a file; None where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None
