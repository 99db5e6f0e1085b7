"""How well a training uses its devices."""

from __future__ import annotations

from typing import Any

# Dense bfloat16 operations a second by the vendor's data sheets; the first name that fits counts.
PEAKS = {"H100 PCIe": 756e12, "H100": 989e12, "H200": 989e12, "A100": 312e12}


def utilisation(
    tokens_per_second: float, *, parameters: int, device: str, processes: int
) -> float | None:
    """Model FLOP utilisation: 6 operations a parameter and token over the devices' peak (PaLM, appendix B).

    The products of attention are left out, so that it is a lower bound. None for a device whose peak is not
    known, such as a CPU.
    """
    peak = next((value for name, value in PEAKS.items() if name in device), None)
    return None if peak is None else 6 * parameters * tokens_per_second / (peak * processes)


def parameters(model: Any) -> int:
    """Parameters that multiply each token: all but an embedding that is only looked up.

    Under ZeRO-3 a process holds a part of each; DeepSpeed remembers its size.
    """

    def size(one: Any) -> int:
        return int(getattr(one, "ds_numel", one.numel()))

    looked_up = 0 if model.config.tie_word_embeddings else size(model.get_input_embeddings().weight)
    return sum(map(size, model.parameters())) - looked_up
