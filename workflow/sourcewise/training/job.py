"""A training job: what its processes are told, and where they leave what they made."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sourcewise.params.students import Train


class Job(BaseModel):
    """Everything that decides the outcome of a training; `inputs` are digests of what it reads.

    `processes` are those of all `nodes` together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    train: Train
    seed: int
    base: str
    examples: str
    inputs: dict[str, str]
    deepspeed: str
    processes: int
    nodes: int = 1
    directory: str

    @property
    def checkpoints(self) -> Path:
        """Where a killed training finds its last state."""
        return Path(self.directory, "checkpoints")

    @property
    def model(self) -> Path:
        """The trained Hugging Face directory; it appears by rename when it is complete."""
        return Path(self.directory, "model")

    @property
    def rows(self) -> Path:
        """Tokenised examples, an Arrow stream."""
        return Path(self.directory, "rows.arrow")

    @property
    def counts(self) -> Path:
        """Counts of the examples; written after `rows`, so that its existence means that they are complete."""
        return Path(self.directory, "counts.json")

    @property
    def history(self) -> Path:
        """What every step gave and took, the number of packed rows, and what the speed is measured by."""
        return Path(self.directory, "history.json")


def last_checkpoint(job: Job) -> Path | None:
    """The newest checkpoint that every process finished writing."""
    done = job.checkpoints.glob("checkpoint-*/complete")
    return max((mark.parent for mark in done), key=_step, default=None)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("checkpoint-"))
