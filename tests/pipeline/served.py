"""The test preset with a teacher behind a server: every stage, few rows, each model call on record."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from sourcewise import scored
from sourcewise.dag.workspace import make
from sourcewise.ledger import SUFFIX, Ledger, Record
from sourcewise.segment import Block, scan
from teacher_server import Request, question, words_of
from working_copy import ROOT, Copy

TEACHER = "words"
SEED, ATTEMPTS = 7, 3
N_QUESTIONS = 16
QUESTIONS = Path("data/raw/words.jsonl")
Params = dict[str, Any]


def served(folder: Path) -> Copy:
    """A new working copy of the configuration, code committed, nothing made."""
    make(folder, ROOT / "workflow/presets/test.yaml")
    copy = Copy(folder)
    change(copy, _configure)
    ask(copy, QUESTIONS, prompts())
    copy.call("dvc config --local core.analytics false")
    copy.commit("code")
    return copy


def prompts(n: int = N_QUESTIONS, *, kind: str = "") -> list[str]:
    """The first questions of a kind."""
    return [question(number, kind=kind) for number in range(n)]


def ask(copy: Copy, file: Path, asked: list[str]) -> None:
    """Writes a file of questions whose reference demands every word."""
    rows = []
    for prompt in asked:
        words = words_of(prompt)
        wanted = {
            "instruction_id_list": ["keywords:existence"] * len(words),
            "kwargs": [{"keywords": [word]} for word in words],
        }
        rows.append(json.dumps({"prompt": prompt, **wanted}) + "\n")
    (copy.folder / file).parent.mkdir(parents=True, exist_ok=True)
    (copy.folder / file).write_text("".join(rows))


def change(copy: Copy, edit: Callable[[Params], None]) -> None:
    """Edits params.yaml as data."""
    path = copy.folder / "params.yaml"
    params = yaml.safe_load(path.read_text())
    edit(params)
    path.write_text(yaml.safe_dump(params, sort_keys=False))


def source(file: Path, shards: int) -> Params:
    """A source of questions from a file."""
    return {
        "category": "instruction",
        "licence": "Apache-2.0",
        "shards": shards,
        "files": [str(file)],
        "columns": {"prompt": "prompt", "reference_format": "ifeval"},
    }


def teacher(model: str) -> Params:
    """A teacher that the server knows by name."""
    return {
        "engine": "server",
        "model": model,
        "revision": "served",
        "system": None,
        "sampling": {"temperature": 1.0, "top_p": 1.0, "max_tokens": 64},
        "wrap": {"rule": "none"},
    }


def _configure(params: Params) -> None:
    base = params["models"]["base"]
    params["models"] = {"base": {**base, "steps": 4, "hidden_size": 16, "intermediate_size": 32}}
    params["sources"] = {"words": source(QUESTIONS, shards=2)}
    params["clean"]["order"] = ["words"]
    params["teachers"] = {TEACHER: teacher(TEACHER)}
    params["seed"] = SEED
    params["distill"] = {"max_attempts": ATTEMPTS, "stop_score": 0.9, "futility": None}
    params["datasets"] = {"words": {**params["datasets"]["terse"], "teachers": [TEACHER]}}
    params["train"].update(max_steps=2, max_length=1024)
    params["students"] = {
        "base": {"dataset": None, "seed": 1},
        "words": {"dataset": "words", "seed": 1},
    }
    params["benchmarks"]["easy"]["samples"] = 1
    params["benchmarks"]["easy"]["queries"]["synthetic"]["n"] = 4


def threshold(score: float) -> Callable[[Params], None]:
    """The edit that sets the dataset's threshold, and the loop's with it."""

    def edit(params: Params) -> None:
        params["distill"]["stop_score"] = score
        params["datasets"]["words"]["min_score"] = score

    return edit


def ledger(copy: Copy) -> Counter[str]:
    """How often each key stands in the ledgers of a working copy."""
    return Counter(record.key for folder in ledgers(copy) for record in records(folder))


def ledgers(copy: Copy) -> list[Path]:
    """The ledgers of teachers and students."""
    return sorted(copy.folder.glob("data/*/*/ledger"))


def records(folder: Path) -> list[Record]:
    """The whole records of a ledger, those under one key too."""
    return [one for _, one in Ledger(folder).scan() if isinstance(one, Record)]


def answered(copy: Copy) -> set[Request]:
    """The requests whose answers the ledgers of the teachers hold."""
    return {
        Request(folder.parent.name, record.query_id, record.seed)
        for folder in copy.folder.glob("data/distill/*/ledger")
        for record in records(folder)
    }


def results(copy: Copy) -> dict[str, str]:
    """The digest of every file that DVC keeps, by path.

    A ledger says when an answer or a score came and in which order, so these are compared as sets; of how fast
    a training was, the number of steps; sidecars hold modification times and are left out.
    """
    lock = yaml.safe_load((copy.folder / "dvc.lock").read_text())
    outs = [copy.folder / out["path"] for stage in lock["stages"].values() for out in stage["outs"]]
    kept = copy.folder / "data/prov"
    files = (
        file
        for out in outs
        if not out.is_relative_to(kept)
        for file in ([out] if out.is_file() else sorted(out.rglob("*")))
        if file.is_file()
    )
    return {str(file.relative_to(copy.folder)): _digest(file) for file in files}


def _digest(file: Path) -> str:
    kept = {SUFFIX: _answers, scored.SUFFIX: _scores}
    content = kept.get(file.suffix, Path.read_bytes)(file)
    if file.stem == "speed":
        content = str(re.findall(rb"^\d+,|\"step\": *\d+", content, re.MULTILINE)).encode()
    return hashlib.sha256(content).hexdigest()


def _answers(segment: Path) -> bytes:
    parts = Ledger(segment.parent).scan()
    found = [one for path, one in parts if path == segment and isinstance(one, Record)]
    return "\n".join(sorted(repr(replace(record, created="")) for record in found)).encode()


def _scores(file: Path) -> bytes:
    with file.open("rb", 0) as content:
        keys = {
            key for part in scan(content.fileno()) if isinstance(part, Block) for key in part.keys
        }
    known = scored.known(file.parent, keys)
    return "\n".join(sorted(f"{key.hex()} {known[key]}" for key in keys)).encode()
