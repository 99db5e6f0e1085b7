"""Finds the files of a pretrained model: a Hugging Face directory, or a hub id at a revision."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Pickled weights, other frameworks' formats and training leftovers are not part of a model.
WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
CONFIGURATION = ("config.json", "generation_config.json")
TOKENIZER = (
    "tokenizer*.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "*.model",
    "*.jinja",
)
FINGERPRINT = "fingerprint.json"
EVERYTHING = (*WEIGHTS, *CONFIGURATION, *TOKENIZER)


def locate(key: str, model: str, revision: str) -> Path:
    """The directory that holds `model`; a hub id is downloaded once into the hub's cache.

    Raises ValueError, naming the parameter `key`, where there is no such model.
    """
    directory = _directory(key, model, revision, EVERYTHING)
    _check(key, directory)
    return directory


def tokenizer_file(key: str, model: str, revision: str) -> Path:
    """The tokenizer.json of a model, of which nothing else is downloaded.

    Raises ValueError, naming the parameter `key`, where there is none.
    """
    file = _directory(key, model, revision, TOKENIZER) / "tokenizer.json"
    if not file.is_file():
        raise ValueError(f"{key}: {model} has no tokenizer.json: choose a model that has one")
    return file


def _directory(key: str, model: str, revision: str, patterns: Sequence[str]) -> Path:
    if Path(model).is_dir():
        return Path(model)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", model):
        raise ValueError(
            f"{key}: {model} is not a directory: make it first, or name a hub id (owner/name)"
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=list(patterns)))
    except Exception as error:  # the hub's client raises a dozen unrelated types
        raise ValueError(
            f"{key}: {model} is not a directory here, and revision {revision!r} of that name could not be "
            f"had from the hub ({type(error).__name__}: {str(error).splitlines()[0]})"
        ) from None


def files(directory: Path, patterns: Sequence[str] = EVERYTHING) -> list[Path]:
    """The files of a model's directory that match, sorted."""
    return sorted(
        path for path in directory.iterdir() if any(path.match(pattern) for pattern in patterns)
    )


def attention(config: Any) -> str | None:
    """What has to compute a model's attention; None leaves it to transformers: sdpa, where the model knows it.

    Scores that are capped, as Gemma 2's, sdpa leaves uncapped without a word: these models take the slow way.
    """
    return "eager" if getattr(config.get_text_config(), "attn_logit_softcapping", None) else None


def seal(directory: Path) -> None:
    """Writes fingerprint.json, the SHA-256 of every file of a finished model: the file that stands for it.

    Jobs that read the model name it as their input, so other weights under an equal config.json count.
    """
    digests = {}
    for path in sorted(path for path in directory.iterdir() if path.name != FINGERPRINT):
        with path.open("rb") as content:
            digests[path.name] = hashlib.file_digest(content, "sha256").hexdigest()
    (directory / FINGERPRINT).write_text(json.dumps(digests, indent=1) + "\n", encoding="utf-8")


def _check(key: str, directory: Path) -> None:
    names = {path.name for path in directory.iterdir()}
    if "config.json" not in names:
        raise ValueError(f"{key}: {directory} holds no model: config.json is missing")
    if not any(name.endswith(".safetensors") for name in names):
        raise ValueError(f"{key}: {directory} holds no *.safetensors: convert its weights first")
