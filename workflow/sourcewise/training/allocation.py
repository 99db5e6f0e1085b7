"""What Slurm gave to a training: nodes, the processes on each, and how they find each other."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from typing import NamedTuple


class Allocation(NamedTuple):
    """`nodes` of `cpus` each, with `processes` of a training on each."""

    nodes: int
    cpus: int
    processes: int


def allocation() -> Allocation:
    """The nodes of the Slurm job that this process runs in; elsewhere this machine alone.

    `$SOURCEWISE_PROCESSES` says how many processes each node runs. Without it there are, in a Slurm job, as
    many as a node has GPUs, else one. Raises RuntimeError where Slurm does not answer.
    """
    job = os.environ.get("SLURM_JOB_ID")
    given = os.environ.get("SOURCEWISE_PROCESSES")
    if job is None:
        return Allocation(1, os.cpu_count() or 1, int(given or 1))
    # Of all that Slurm says in the environment, the plugin of Snakemake leaves the number of the job.
    command = ["squeue", "--noheader", f"--jobs={job}", "--format=%D %C"]
    asked = subprocess.run(command, capture_output=True, text=True)
    if asked.returncode or not asked.stdout.strip():
        raise RuntimeError(f"{shlex.join(command)} failed: {asked.stderr.strip() or 'no such job'}")
    nodes, cpus = map(int, asked.stdout.split())
    gpus = len([one for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one])
    return Allocation(nodes, cpus // nodes, int(given or 0) or max(1, gpus))


def over_nodes(given: Allocation, python: str, worker: Sequence[str]) -> list[str]:
    """The command that starts torchrun once on each node, whose processes then find each other."""
    # Below the ports that the kernel hands out; two trainings on one node have different ones.
    port = 10000 + int(os.environ["SLURM_JOB_ID"]) % 20000
    options = f"--nnodes={given.nodes} --nproc-per-node={given.processes} --master-port={port}"
    # Known in the tasks of srun only, and therefore left to their shell.
    place = '--node-rank="$SLURM_NODEID" --master-addr="$SLURM_LAUNCH_NODE_IPADDR"'
    torchrun = f"exec {shlex.quote(python)} -m torch.distributed.run {options} {place}"
    tasks = f"--nodes={given.nodes} --ntasks={given.nodes} --ntasks-per-node=1"
    # Slurm gives a step one CPU where it is not told otherwise.
    step = f"srun {tasks} --cpus-per-task={given.cpus} --kill-on-bad-exit=1"
    return [*step.split(), "sh", "-c", f"{torchrun} {shlex.join(worker)}"]
