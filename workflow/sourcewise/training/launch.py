"""Starts the processes of a training and waits for them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from sourcewise.parent import end_with_parent
from sourcewise.training import memory, sft
from sourcewise.training.allocation import allocation, over_nodes
from sourcewise.training.job import Job

KILLED = re.compile(rb"exitcode\s*: -9\b")


def run(job: Job) -> None:
    """Trains; returns when every process has ended well, else raises RuntimeError."""
    worker = ["-m", sft.__name__, str(Path(job.directory, "job.json"))]
    environment = dict(os.environ)
    # ninja is looked up on the PATH.
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    # Base and tokenizer are directories by now.
    environment["HF_HUB_OFFLINE"] = environment["HF_HUB_DISABLE_TELEMETRY"] = "1"
    command = [sys.executable, *worker]
    if job.processes == 1:
        # What torchrun would say to its only process; starting it takes as long as importing torch twice.
        environment |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}
        environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    elif job.nodes > 1:
        command = over_nodes(allocation(), sys.executable, worker)
    else:
        torchrun = [
            "-m",
            "torch.distributed.run",
            "--standalone",
            f"--nproc-per-node={job.processes}",
        ]
        command = [sys.executable, *torchrun, *worker]
    code, killed = _watched(command, environment)
    if killed:
        raise RuntimeError(
            f"a process of the training of {job.name} was killed from outside, as happens where the machine's "
            f"memory runs out: {memory.advice(job, device=False)}. Run again to continue from there"
        )
    if code:
        raise RuntimeError(
            f"training of {job.name} ended with {code}; the reason stands above. "
            "Run again to continue from its last checkpoint"
        )


def _watched(command: list[str], environment: dict[str, str]) -> tuple[int, bool]:
    """The exit status, and whether SIGKILL ended a process; of torchrun's only its own report tells that."""
    killed = False
    with subprocess.Popen(
        command, env=environment, preexec_fn=_end_with_parent, stderr=subprocess.PIPE
    ) as running:
        assert running.stderr is not None
        try:
            for line in running.stderr:
                sys.stderr.write(line.decode(errors="replace"))
                sys.stderr.flush()
                killed |= KILLED.search(line) is not None
        except BaseException:  # leaving would else wait for the training to end
            running.kill()
            raise
    return running.returncode, killed or running.returncode == -signal.SIGKILL


def _end_with_parent() -> None:
    # A killed stage must not leave a training behind that writes where its successor does.
    end_with_parent(signal.SIGTERM)
