"""Asks for attempts that the ledger lacks, and nothing else; shared by the stages that ask models.

Every batch that an engine returns is in the ledger before the next is taken, so a killed job has lost
nothing but what was in flight.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from sourcewise.engines.contract import Batch, Request
from sourcewise.ledger import Found, Ledger, Record, attempt_key, attempt_seed
from sourcewise.tables import Message, Response
from sourcewise.text import query_id
from sourcewise.under_way import State, UnderWay

# What a directory needs to answer; training records, logs and the like do not change an answer.
PARTS = (".safetensors", ".json", ".jinja", ".txt", ".model", ".py")
RECORDS = ("training.json", "trainer_state.json", "all_results.json", "train_results.json")
WHOLE_BYTES, SAMPLES, SAMPLE_BYTES = 64 << 20, 256, 16 << 10

Engine = Callable[[ModuleType, Sequence[Request]], Iterator[Batch]]


class Question(NamedTuple):
    """A request and the query whose row it fills: a benchmark's suffix makes the question another text."""

    query_id: str
    asked: Request


def weights_of(model: str, revision: str, *, engine: str) -> str:
    """What stands for a model's weights: their digest for a directory, else name and revision.

    A retrained model in the same directory is another model. Raises FileNotFoundError for a directory
    that is not there.
    """
    directory = Path(model)
    if engine == "server" or not directory.exists():
        if engine != "server" and (model.count("/") > 1 or model.startswith((".", "/"))):
            raise FileNotFoundError(f"{model} does not exist: make the model first")
        return f"{model}@{revision}"
    if not (directory / "config.json").is_file():
        raise FileNotFoundError(f"{model} holds no model: config.json is missing")
    return f"files:{_digest(directory)}"


def _digest(directory: Path) -> str:
    """The digest of a model's files; of a large one its size and 256 samples, which training changes."""
    digest = hashlib.sha256()
    for path in sorted(directory.iterdir()):
        if path.suffix not in PARTS or path.name in RECORDS:
            continue
        size = path.stat().st_size
        digest.update(f"{path.name}\x1f{size}\x1f".encode())
        with path.open("rb") as file:
            if size <= WHOLE_BYTES:
                digest.update(file.read())
                continue
            for sample in range(SAMPLES):
                file.seek(sample * (size - SAMPLE_BYTES) // (SAMPLES - 1))
                digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()[:32]


def request(
    identity: str, messages: list[Message], *, attempt: int, seed: int, max_tokens: int
) -> Request:
    """Attempt k at a question, with the seed and the key that follow from its content."""
    identifier = query_id(messages)
    drawn = attempt_seed(seed, identifier, attempt)
    key = attempt_key(identity, identifier, attempt, drawn)
    return Request(key, identifier, attempt, messages, drawn, max_tokens)


def ask(
    requests: Iterable[Request],
    *,
    engine: str,
    run: Engine,
    revision: str,
    ledger: Path,
    writer: str,
    label: str,
) -> Found:
    """The attempts by key, after asking for those that the ledger lacks.

    `run` is handed the engine's module and the missing requests. Without any, the engine is not even
    imported. An engine may leave a request unanswered (an imported teacher without that row); its key
    is then missing in what is returned.
    """
    wanted = {one.key: one for one in requests}
    found = Ledger(ledger).get(wanted.keys())
    missing = [one for key, one in wanted.items() if key not in found]
    if not missing:
        _say(label, asked=0, found=len(found), wanted=len(wanted))
        return found
    module = importlib.import_module(f"sourcewise.engines.{engine}")
    state = State(
        role="student" if ledger.parent.parent.name == "benchmarks" else "teacher",
        name=ledger.parent.name,
        attempt=max(one.attempt for one in missing),
        shard=writer,
        wanted=len(wanted),
        found=len(found),
    )
    with Ledger(ledger).writer(writer) as segment, UnderWay(state, label) as under_way:
        for batch in run(module, missing):
            segment.append(_records(batch, engine=module.version(), revision=revision))
            under_way.add(completion for _, completion in batch)
    _say(label, asked=state.asked, found=len(found), wanted=len(wanted))
    return Ledger(ledger).get(wanted.keys())


def _say(label: str, *, asked: int, found: int, wanted: int) -> None:
    line = f"{label}: asked {asked:,}, from the ledger {found:,}, of {wanted:,} wanted"
    without = wanted - found - asked
    print(f"{line}; {without:,} have no response" if without else line, file=sys.stderr)


def _records(batch: Batch, *, engine: str, revision: str) -> list[Record]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return [
        Record(
            key=one.key,
            query_id=one.query_id,
            attempt=one.attempt,
            text=_storable(completion.text),
            finish_reason=completion.finish_reason,
            n_tokens=completion.n_tokens,
            n_prompt_tokens=completion.n_prompt_tokens,
            seed=one.seed,
            engine=engine,
            revision=revision,
            created=now,
        )
        for one, completion in batch
    ]


def files_digest(paths: Iterable[Path]) -> str:
    """The digest of whole files; raises FileNotFoundError with the path and the remedy."""
    digest = hashlib.sha256()
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist: correct the path or fetch the file")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:32]


def _storable(text: str) -> str:
    """Half of a surrogate pair, which JSON can carry and UTF-8 cannot, becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def responses(
    questions: Iterable[Question], found: Found, *, teacher: str, wrap: Callable[[str], str]
) -> Iterator[Response]:
    """The table rows of the questions that have an answer, in their order.

    Raises ValueError where a record answers another question than its key says.
    """
    for identifier, asked in questions:
        if asked.key not in found:
            continue
        record = found[asked.key]
        if (record.query_id, record.attempt) != (asked.query_id, asked.attempt):
            raise ValueError(
                f"ledger record {record.key} answers attempt {record.attempt} at {record.query_id}, "
                f"not {asked.attempt} at {asked.query_id}"
            )
        yield Response(
            query_id=identifier,
            attempt=record.attempt,
            teacher=teacher,
            text=wrap(record.text),
            finish_reason=record.finish_reason,
            n_tokens=record.n_tokens,
            n_prompt_tokens=record.n_prompt_tokens,
            seed=record.seed,
            engine=record.engine,
            revision=record.revision,
        )
