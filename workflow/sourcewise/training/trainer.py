"""TRL's trainer, which ends at a loss or gradient that is no number and says which examples gave it."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from sourcewise.training import apart
from sourcewise.training.packing import names

SHOWN = 10


class NotFiniteError(ValueError):
    """The loss or the gradient of a step is infinite or not a number."""


def supervised(rows: Path, **arguments: Any) -> Any:
    """An SFTTrainer of these arguments over `packing.training_rows` of the file `rows`.

    Entries of its history also have the `seconds` and `tokens` since the one before; fillers count.

    transformers shows the mean of earlier losses in place of such a loss and trains on; DeepSpeed has changed
    the weights by the time that it tells the gradient. Training therefore ends with NotFiniteError before
    that step is saved: the last checkpoint on the disk comes from finite steps.
    """
    from trl import SFTTrainer

    class Supervised(SFTTrainer):  # type: ignore[misc]
        data_collator: Any

        def __init__(self) -> None:
            super().__init__(**arguments)
            self.drawn: list[int] = []
            self.looked = not self.args.packing
            self.logged, self.n_tokens = time.perf_counter(), 0.0
            self.collate = self.data_collator
            self.data_collator = lambda rows: {
                **self.collate(rows),
                "members": [number for row in rows for number in row["members"]],
            }

        def get_batch_samples(self, *given: Any, **named: Any) -> Any:
            self.drawn = []
            return super().get_batch_samples(*given, **named)

        def training_step(self, model: Any, inputs: dict[str, Any], *given: Any) -> Any:
            members = inputs.pop("members")
            self.drawn += members
            if not self.looked:
                self.looked = True
                name = type(self.accelerator.unwrap_model(model)).__name__
                apart.check(model, self.collate, name, n_tokens=len(self.processing_class))
            loss = super().training_step(model, inputs, *given)
            check("loss", loss.item(), members)
            return loss

        def log(self, logs: dict[str, float], *given: Any) -> None:
            # DeepSpeed says -1 for a norm that is not finite.
            if (norm := logs.get("grad_norm")) is not None:
                check("gradient", norm if norm >= 0 else math.nan, self.drawn)
            super().log(logs, *given)
            now, n_tokens = time.perf_counter(), logs.get("num_tokens", self.n_tokens)
            self.state.log_history[-1] |= {
                "seconds": now - self.logged,
                "tokens": int(n_tokens - self.n_tokens),
            }
            self.logged, self.n_tokens = now, n_tokens

    trainer = Supervised()

    def check(what: str, value: float, members: list[int]) -> None:
        if math.isfinite(value):
            return
        shown = "; ".join(names(rows, members[:SHOWN]))
        more = f" and {len(members) - SHOWN:,} more" if len(members) > SHOWN else ""
        raise NotFiniteError(
            f"the {what} of step {trainer.state.global_step + (what == 'loss')} is {value}, drawn from "
            f"{shown}{more}: look at these examples, or lower train.learning_rate"
        )

    return trainer
