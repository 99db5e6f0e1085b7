"""GPUs by the driver and by torch, and whether vLLM can be imported where models are asked."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from sourcewise.commands.environment import UsageError, python
from sourcewise.doctor.findings import LATE, CommandError, Finding, count, last_words, listed, say

QUERY = "--query-gpu=name,memory.total,memory.used,driver_version,compute_mode"
CUDA = (
    ".venvs/tools/bin/uv pip sync --python .venvs/model/bin/python envs/model-cuda.lock "
    "(and after each `make setup`, which installs the build for processors)"
)
# Each line is said as soon as it is known: the import of vLLM may be cut off.
SCRIPT = """
import json, sys
def say(**known): print(json.dumps(known), flush=True)
import torch
say(torch=torch.__version__, devices=torch.cuda.device_count(), cuda=torch.version.cuda)
import gc; gc.disable()
sys.modules["sklearn"] = None
from vllm import LLM
import vllm
say(vllm=vllm.__version__)
"""


def gpus() -> list[Finding]:
    """The GPUs that the driver names, each with its memory."""
    try:
        rows = [
            [cell.strip() for cell in line.split(",")]
            for line in say("nvidia-smi", QUERY, "--format=csv,noheader,nounits").splitlines()
        ]
    except CommandError as error:
        if list(Path("/dev").glob("nvidia[0-9]*")):
            fix = (
                "install the driver's programs (nvidia-smi), or restart the machine after an update"
            )
            return [Finding("GPUs", "problem", f"/dev/nvidia0 is here, but {error}", fix)]
        return [Finding("GPUs", "ok", "none: models run on the processor, or elsewhere")]
    names = [f"{name}, {int(total) / 1024:.0f} GiB" for name, total, *_ in rows]
    driver = rows[0][3] if rows else "?"
    seen = f"{count(len(rows), 'GPU')}: {listed(sorted(set(names)))}; driver {driver}"
    busy = [str(i) for i, (_, total, used, *_) in enumerate(rows) if int(used) > int(total) / 10]
    if busy:
        fix = "nvidia-smi --query-compute-apps=pid,name,used_memory --format=csv"
        return [Finding("GPUs", "warning", f"{seen}; in use by others: {', '.join(busy)}", fix)]
    return [Finding("GPUs", "ok", seen)]


def models(seconds: float) -> list[Finding]:
    """What torch and vLLM say, within so many seconds, in the environment where models are asked."""
    try:
        # The dearest check gives way to the others.
        command = ["nice", str(python("model")), "-c", SCRIPT]
    except UsageError:
        return []  # the environments have a line that says so
    said, problem = _run(command, seconds)
    known: dict[str, Any] = {}
    for line in said.splitlines():
        if line.startswith("{"):
            known.update(json.loads(line))
    if not problem and "vllm" not in known:
        late = f"not imported within {seconds:g} s, without an error so far"
        found = [Finding("vLLM", "warning", late, LATE)]
    else:
        found = [_vllm(known, problem)]
    return [*([_torch(known)] if "torch" in known else []), *found]


def _run(command: list[str], seconds: float) -> tuple[str, str]:
    """What the script said, and why it did not end well."""
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=seconds
        )
    except subprocess.TimeoutExpired as late:
        said = late.stdout or b""
        return (said if isinstance(said, str) else said.decode(errors="replace")), ""
    return result.stdout, last_words(result.stderr) if result.returncode else ""


def _torch(known: dict[str, Any]) -> Finding:
    seen = f"torch {known['torch']} sees {count(known['devices'], 'GPU')}"
    try:
        n = len(say("nvidia-smi", "-L").splitlines())
    except CommandError:
        n = 0
    if n and known["cuda"] is None:
        return Finding("torch", "problem", f"{seen} of {n}: it is the build for processors", CUDA)
    if known["devices"] < n:
        fix = "echo $CUDA_VISIBLE_DEVICES; compare the driver's CUDA (nvidia-smi) with torch's"
        return Finding("torch", "problem", f"{seen} of {n} (CUDA {known['cuda']})", fix)
    return Finding("torch", "ok", seen)


def _vllm(known: dict[str, Any], problem: str) -> Finding:
    if not problem:
        return Finding("vLLM", "ok", f"{known['vllm']} is imported")
    fix = "rm -rf .venvs/model && python3.11 envs/setup.py model"
    return Finding("vLLM", "problem", problem, fix)
