"""Conversations as a causal model reads them: what it is given and what it is to write, in tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from sourcewise.tables import Message
from sourcewise.text import THINK_OPEN

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Exchange(NamedTuple):
    """Token ids of everything before the final response, and of that response with its end of turn."""

    prompt: list[int]
    response: list[int]


def exchanges(
    tokenizer: PreTrainedTokenizerBase,
    conversations: Sequence[Sequence[Message]],
    *,
    system: str | None = None,
) -> list[Exchange]:
    """Cuts conversations, each ending with the assistant's turn, into prompt and response tokens.

    The prompt is rendered by the tokenizer's chat template exactly as at generation, and the response is
    appended to it: templates that rewrite assistant turns (and drop their reasoning) cannot touch it.
    `system` is put before conversations that have no system turn of their own.
    """
    if not conversations:
        return []
    end = end_of_turn(tokenizer)
    prompts = tokenizer.apply_chat_template(
        [_turns(conversation[:-1], system) for conversation in conversations],
        add_generation_prompt=True,
        tokenize=False,
    )
    responses = [
        _continuation(prompt, conversation[-1].content)
        for prompt, conversation in zip(prompts, conversations, strict=True)
    ]
    # Templates write their own first token, so the tokenizer must not add another.
    given = tokenizer(list(prompts), add_special_tokens=False)["input_ids"]
    written = tokenizer(responses, add_special_tokens=False)["input_ids"]
    return [Exchange(p, [*r, end]) for p, r in zip(given, written, strict=True)]


def end_of_turn(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token with which the chat template closes an assistant turn; else the tokenizer's own end.

    Raises ValueError for a tokenizer without chat template.
    """
    if not tokenizer.chat_template:
        raise ValueError(
            f"the tokenizer of {tokenizer.name_or_path} has no chat template: "
            "use a model whose tokenizer has one, or add chat_template.jinja to its directory"
        )
    turns = [{"role": "user", "content": "question"}, {"role": "assistant", "content": "reply"}]
    rendered = tokenizer.apply_chat_template(turns, tokenize=False)
    closing = tokenizer(rendered.rpartition("reply")[2], add_special_tokens=False)["input_ids"]
    special = set(tokenizer.all_special_ids) | set(tokenizer.get_added_vocab().values())
    end = next((token for token in closing if token in special), tokenizer.eos_token_id)
    if end is None:
        raise ValueError(f"the tokenizer of {tokenizer.name_or_path} has no token that ends a turn")
    return int(end)


def _turns(messages: Sequence[Message], system: str | None) -> list[dict[str, str]]:
    turns = [{"role": turn.role, "content": turn.content} for turn in messages]
    if system is not None and not any(turn["role"] == "system" for turn in turns):
        turns.insert(0, {"role": "system", "content": system})
    return turns


def _continuation(prompt: str, response: str) -> str:
    # Some templates open the reasoning themselves; the response must not open it a second time.
    if prompt.rstrip().endswith(THINK_OPEN):
        return response.removeprefix(THINK_OPEN).removeprefix("\n")
    return response
