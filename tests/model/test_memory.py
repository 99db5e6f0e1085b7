"""A training that needs more memory than there is ends with what to change."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import tiny_qwen
import torch
from small_training import EXAMPLES, STUDENT, example, places, settings, train
from transformers import AutoConfig, MistralConfig

from sourcewise import tables
from sourcewise.tables import Example
from sourcewise.training import memory


def test_errors_of_memory_are_known_from_others() -> None:
    for ask in (lambda: torch.empty(1 << 60), lambda: bytearray(1 << 60)):
        with pytest.raises((RuntimeError, MemoryError)) as caught:
            ask()
        assert memory.ran_out(caught.value)
    assert memory.ran_out(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert not memory.ran_out(RuntimeError("shape mismatch"))
    assert not memory.ran_out(ValueError("out of memory"))


def test_a_training_that_the_hosts_memory_does_not_hold_says_what_takes_less(
    tmp_path: Path,
) -> None:
    """With a window, the mask of 60,000 tokens takes 3.6 GB; the process may have 6 of address space."""
    base = tiny_qwen.write(tmp_path / "base", MistralConfig, sliding_window=16)
    config = AutoConfig.from_pretrained(base)
    config.max_position_embeddings = 65_536
    config.save_pretrained(base)
    source = tmp_path / "examples.parquet"
    tables.write(source, Example, [example(1, "long?", "z" * 60_000), *EXAMPLES])
    wanted = settings(base, max_length=65_536, global_batch=1, epochs=1)
    command = ["prlimit", "--as=6000000000", sys.executable, "-m", "sourcewise", "train"]
    command += ["--name", "s", "--train", wanted.model_dump_json()]
    command += ["--student", STUDENT.model_dump_json(), "--examples", str(source)]
    for name, path in places(tmp_path)._asdict().items():
        command += [f"--{name}", str(path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode
    assert re.search(
        r"train s: out of memory \(.*\): lower train.max_length \(65,536 tokens\); "
        r"SOURCEWISE_DEEPSPEED=workflow/deepspeed/zero3.json \(now zero1\); .*Kept: no checkpoint",
        done.stderr,
    ), done.stderr


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_process_killed_from_outside_is_told_apart_from_an_error(
    processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the kernel does it where memory runs out; the checkpoint before it is named and kept."""
    base = tiny_qwen.build(tmp_path / "base")
    monkeypatch.setenv("SOURCEWISE_PROCESSES", str(processes))
    checkpoints = tmp_path / ".s.training/checkpoints"

    def kill() -> None:
        while not list(checkpoints.glob("checkpoint-*/complete")):
            time.sleep(0.01)
        job = str(checkpoints.parent / "job.json").encode()
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            words = entry.read_bytes().split(b"\0") if entry.exists() else []
            if job in words and b"torch.distributed.run" not in words:
                os.kill(int(entry.parent.name), signal.SIGKILL)
                return

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    with pytest.raises(
        RuntimeError, match=r"was killed from outside.*lower train.max_length.*Kept: \S+"
    ):
        train(tmp_path, base, EXAMPLES, epochs=400)
    killer.join()
    assert list(checkpoints.glob("checkpoint-*/complete"))
    assert not (tmp_path / "s").exists()
