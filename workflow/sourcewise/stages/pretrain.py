"""Trains a tiny Qwen2 model from scratch; writes a directory that transformers and vLLM load."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from sourcewise import pretrained
from sourcewise.params.models import Pretrain
from sourcewise.synthetic import packing, tokenizer, training
from sourcewise.synthetic.documents import documents, vocabulary_text


def run(*, name: str, model: Pretrain, out: Path) -> None:
    """Trains the model `name` and writes its directory: weights, tokenizer and training.json."""
    words = tokenizer.train(vocabulary_text())
    read = documents(
        model.problems, style=model.style, label_noise=model.label_noise, seed=model.seed
    )
    network = training.create(model, words)
    history = training.fit(network, packing.encode(list(read), words), model, name)
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    network.save_pretrained(partial)
    words.save_pretrained(partial)
    record = {
        "model": name,
        "settings": model.model_dump(),
        "n_parameters": sum(weight.numel() for weight in network.parameters()),
        "vocabulary": len(words),
        "final_loss": history[-1],
        "steps_per_loss": training.STEPS_PER_LOSS,
        "loss": history,
    }
    (partial / "training.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    pretrained.seal(partial)
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
