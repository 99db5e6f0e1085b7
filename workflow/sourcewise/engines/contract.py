"""What every engine offers: `complete(requests, *, model, revision, sampling, system)` and `version()`.

`complete` yields batches of (request, completion) as they are finished, in any order, so that the ledger
grows while the engine works. Each request is answered once, and an answer depends on its own request
only, as far as the engine can make that true. A module of this package is an engine by its name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

from sourcewise.chat import end_of_turn
from sourcewise.tables import Message

PROMPT_TOO_LONG = "prompt_too_long"


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One attempt at a query: its turns as the model is to see them, its seed, its most new tokens.

    `key` is where the ledger will keep the answer.
    """

    key: str
    query_id: str
    attempt: int
    messages: list[Message]
    seed: int
    max_tokens: int


@dataclasses.dataclass(frozen=True, slots=True)
class Completion:
    """What a model returned, reasoning included.

    `finish_reason` is `stop`, `length` (cut off), `prompt_too_long` (never asked), `unknown` (imported)
    or what else a server says.
    """

    text: str
    finish_reason: str
    n_tokens: int
    n_prompt_tokens: int


Batch = list[tuple[Request, Completion]]


class EngineError(RuntimeError):
    """The engine cannot go on; what it answered so far is in the ledger."""


class Prompt(NamedTuple):
    """A request as tokens, and how many new ones fit behind them."""

    request: Request
    ids: list[int]
    room: int


def turns(messages: Sequence[Message], system: str | None) -> list[dict[str, str]]:
    """The turns of a chat; `system` goes before a query that has no system turn of its own."""
    chat = [{"role": turn.role, "content": turn.content} for turn in messages]
    if system is not None and not any(turn["role"] == "system" for turn in chat):
        chat.insert(0, {"role": "system", "content": system})
    return chat


def stop_tokens(tokenizer: Any, generation: Any) -> set[int]:
    """The tokens that end a response: the model's own ends, and the end of turn of its chat template.

    A base model's own end is often not the end of turn that its template, and a student of it, writes.
    """
    own = generation.eos_token_id
    return {*(own if isinstance(own, list) else [own]), end_of_turn(tokenizer)} - {None}


def prompts(
    requests: Sequence[Request], tokenizer: Any, *, limit: int, system: str | None
) -> tuple[list[Prompt], Batch]:
    """Renders requests by the tokenizer's chat template, and answers those that do not fit.

    `limit` is the model's context in tokens. A prompt fits when at least one token can follow it.
    """
    fitting: list[Prompt] = []
    too_long: Batch = []
    for request in requests:
        ids: list[int] = tokenizer.apply_chat_template(
            turns(request.messages, system),
            add_generation_prompt=True,
            tokenize=True,
            return_dict=False,
        )
        room = min(request.max_tokens, limit - len(ids))
        if room >= 1:
            fitting.append(Prompt(request, ids, room))
        else:
            too_long.append((request, Completion("", PROMPT_TOO_LONG, 0, len(ids))))
    return fitting, too_long
