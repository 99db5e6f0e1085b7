"""Writes a trained model as a Hugging Face directory that transformers and vLLM load."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from sourcewise import pretrained
from sourcewise.chat import end_of_turn
from sourcewise.training import template


def save(trainer: Any, tokenizer: Any, base: Path, directory: Path, *, own_template: bool) -> None:
    """Gathers the weights from all processes (which must all call this); the first one writes them.

    The tokenizer is the base's, file by file, but for the token that ends a text and, without
    `own_template`, the chat template that it was trained with.
    """
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if trainer.args.process_index != 0:
        return
    model = trainer.accelerator.unwrap_model(trainer.model_wrapped)
    # DeepSpeed clones every tensor, so that tied ones would be written twice.
    weights = {
        name: weight for name, weight in state.items() if name not in model.all_tied_weights_keys
    }
    partial = directory.with_name(f".{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    end = end_of_turn(tokenizer)
    stop_at(model, end)
    model.save_pretrained(partial, state_dict=weights)
    for path in pretrained.files(base, pretrained.TOKENIZER):
        shutil.copyfile(path, partial / path.name)
    if not own_template:
        template.put(partial, tokenizer.chat_template)
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (partial / name).exists():
            name_end(partial / name, tokenizer.convert_ids_to_tokens(end))
    shutil.rmtree(directory, ignore_errors=True)
    partial.rename(directory)


def stop_at(model: Any, end: int) -> None:
    """Makes the end of a turn, which the model was trained to write, stop its generation too.

    Base models name only their end of text there and would write on after their answer.
    """
    known = model.generation_config.eos_token_id
    others = known if isinstance(known, list) else [] if known is None else [known]
    model.generation_config.eos_token_id = [end, *(token for token in others if token != end)]
    model.config.eos_token_id = end
    model.config.use_cache = True  # off while training


def name_end(path: Path, end: str) -> None:
    """Sets `eos_token` in a file of the tokenizer."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if content.get("eos_token") != end:
        content["eos_token"] = end
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
