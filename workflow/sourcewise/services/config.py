"""services.yaml: how teachers are served here; a machine matter that changes no result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from sourcewise.params.base import Count, Positive, Section
from sourcewise.params.root import ParamsError, read_yaml


class Service(Section):
    """How one teacher is served.

    `command` is run by bash with $MODEL, $REVISION, $HOST, $PORT and, as the token to ask for, $VLLM_API_KEY.
    `slurm` are sbatch's options; null runs the replicas on this machine. `host` is the address that jobs
    reach a replica at; null is 127.0.0.1 here and the node's name under Slurm. A server that does not answer
    at `health` three times within `health_seconds` each is started again. `drain_seconds` before the time limit
    of its job a replica takes nothing new, and finishes.
    """

    command: Annotated[str, Field(min_length=1)]
    replicas: Count
    slurm: str | None
    host: str | None = None
    health: str = "/health"
    health_seconds: Positive = 10.0
    start_seconds: Positive = 3600.0
    idle_seconds: Positive = 900.0
    drain_seconds: Positive = 1800.0


def load(path: Path) -> dict[str, Service]:
    """Reads a services.yaml; raises ParamsError with the key of each mistake."""
    content = read_yaml(path)
    try:
        return TypeAdapter(dict[str, Service]).validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise ParamsError(f"{path}: " + "\n".join(lines)) from None
