"""What happens beside the training steps: progress lines, and marks on complete checkpoints."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch.distributed
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from sourcewise.progress import Progress


class Complete(TrainerCallback):
    """Marks a checkpoint when every process has written its part; one without the mark is never resumed."""

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Waits for all processes."""
        torch.distributed.barrier()
        if state.is_world_process_zero:
            Path(args.output_dir, f"checkpoint-{state.global_step}", "complete").touch()


class Say(TrainerCallback):
    """Prints how far the training is."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._progress: Progress | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Counts the steps that are left, which are fewer after an interruption."""
        if not state.is_world_process_zero:
            return
        if state.global_step:
            print(f"train {self._name}: continues after step {state.global_step}", file=sys.stderr)
        left = state.max_steps - state.global_step
        self._progress = Progress(f"train {self._name}", left, "steps")

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """One step more."""
        if self._progress:
            self._progress.advance()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """The closing line."""
        if self._progress:
            self._progress.finish()
