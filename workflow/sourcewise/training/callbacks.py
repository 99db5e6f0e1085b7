"""What happens beside the training steps: marks on complete checkpoints, and progress lines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from sourcewise.progress import Progress


def callbacks(name: str) -> list[Any]:
    """The callbacks of a training, for `transformers.Trainer`."""
    import torch.distributed
    from transformers import TrainerCallback

    class Complete(TrainerCallback):  # type: ignore[misc]
        """Marks a checkpoint when every process has written its part: only then may it be resumed."""

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            torch.distributed.barrier()
            if state.is_world_process_zero:
                Path(args.output_dir, f"checkpoint-{state.global_step}", "complete").touch()

    class Say(TrainerCallback):  # type: ignore[misc]
        """Prints how far the training is; after an interruption it counts the steps that are left."""

        progress: Progress | None = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if not state.is_world_process_zero:
                return
            if state.global_step:
                print(f"train {name}: continues after step {state.global_step}", file=sys.stderr)
            self.progress = Progress(f"train {name}", state.max_steps - state.global_step, "steps")

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if self.progress:
                self.progress.advance()

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if self.progress:
                self.progress.finish()

    return [Complete(), Say()]
