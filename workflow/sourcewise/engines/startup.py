"""A shorter start of engines that run a model in this process."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import cast


def prepare(model: str) -> None:
    """To be called before the libraries are imported; what the user set in the environment stays.

    A model in a local directory is loaded without asking the hub for anything. Bars and notes of the
    libraries are left out of the log, their errors are not.
    """
    if Path(model).is_dir():
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    warnings.filterwarnings("ignore", category=FutureWarning, module="(torch|transformers|vllm)")


@contextlib.contextmanager
def lean_imports() -> Iterator[None]:
    """Spares transformers the import of scikit-learn, and with it of scipy and pandas.

    transformers imports it where it is installed, for assisted decoding only; without it (and without
    collecting garbage between imports) vLLM starts with 7.5 instead of 10 s of CPU. The objects made
    meanwhile live as long as the process, so later collections need not look at them.
    """
    hidden = "sklearn" not in sys.modules
    collecting = gc.isenabled()
    if hidden:
        sys.modules["sklearn"] = cast(ModuleType, None)
    gc.disable()
    try:
        yield
    finally:
        if hidden:
            del sys.modules["sklearn"]
        if collecting:
            gc.enable()
        gc.freeze()
