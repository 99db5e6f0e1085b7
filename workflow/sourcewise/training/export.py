"""Writes a trained model as a Hugging Face directory that transformers and vLLM load."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sourcewise.chat import end_of_turn


def save(trainer: Any, tokenizer: Any, directory: Path) -> None:
    """Gathers the weights from all processes (which must all call this); the first one writes them."""
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if trainer.args.process_index != 0:
        return
    model = trainer.accelerator.unwrap_model(trainer.model_wrapped)
    # DeepSpeed clones each tensor, so that tied ones would be saved twice: vLLM refuses the copy.
    weights = {name: weight for name, weight in state.items() if name not in model.all_tied_weights_keys}
    settle_end_of_turn(model, tokenizer)
    partial = directory.with_name(f".{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial, state_dict=weights)
    tokenizer.save_pretrained(partial)
    shutil.rmtree(directory, ignore_errors=True)
    partial.rename(directory)


def settle_end_of_turn(model: Any, tokenizer: Any) -> None:
    """Makes the end of a turn, which the model was trained to write, stop its generation too.

    Base models name only their end of text there and would write on after their answer.
    """
    end = end_of_turn(tokenizer)
    known = model.generation_config.eos_token_id
    others = known if isinstance(known, list) else [] if known is None else [known]
    model.generation_config.eos_token_id = [end, *(token for token in others if token != end)]
    model.config.eos_token_id = end
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(end)
