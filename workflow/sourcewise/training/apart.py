"""Whether a model keeps examples apart that share a row, found by asking it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LENGTH = 16  # tokens of each of the two examples
# What the first example may do to the second, as a share of what the second's own beginning does to its end.
# Attention that keeps them apart gives 0, recurrent layers and masks that know no position ids 0.1 to 3.
SHARE = 0.01


class MixedError(ValueError):
    """Examples that share a row see each other."""


def check(
    model: Any,
    collate: Callable[[list[dict[str, Any]]], dict[str, Any]],
    name: str,
    *,
    n_tokens: int,
) -> None:
    """Raises MixedError where changing an example changes what the model makes of the one behind it.

    All processes must call this: with ZeRO-3 each has a share of the weights. `model` and `collate` are
    those of TRL's trainer, and are asked as it asks them: DeepSpeed remembers the order in which a model first
    takes its weights, and TRL's loss does not take those of the last layer as a model on its own would.
    """
    import torch

    def ends(tokens: list[int]) -> torch.Tensor:
        """What the second half of the second example is given, as log probabilities."""
        row = {"input_ids": tokens, "labels": tokens, "seq_lengths": [LENGTH, LENGTH]}
        batch = {
            key: value.to(device) if torch.is_tensor(value) else value
            for key, value in collate([row]).items()
        }
        told = model(**batch, use_cache=False, fused_lm_head=True).log_probs
        return told[0, -LENGTH // 2 :].float()

    device = next(model.parameters()).device
    draw = torch.Generator().manual_seed(0)
    first, second, other = torch.randint(n_tokens, (3, LENGTH), generator=draw).tolist()
    training = model.training
    model.eval()
    with torch.no_grad():
        usual = ends(first + second)
        leaked = (ends(other + second) - usual).abs().max()
        own = (ends(first + other[: LENGTH // 2] + second[LENGTH // 2 :]) - usual).abs().max()
    model.train(training)
    if not leaked <= SHARE * own:
        raise MixedError(
            f"{name} lets examples that share a row see each other (changing one moves the log probabilities "
            f"of the next by {leaked:.2g}, its own beginning by {own:.2g}): set train.packing to false, or "
            "install the kernels that its layers ask for"
        )
