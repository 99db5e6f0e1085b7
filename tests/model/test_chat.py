"""Conversations become what the model is given and what it is to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny_qwen
from transformers import AutoTokenizer

from sourcewise.chat import end_of_turn, exchanges
from sourcewise.tables import Message

CONVERSATION = [
    Message("user", "1+1?"),
    Message("assistant", "<think>easy</think>2"),
    Message("user", "and 2 more?"),
    Message("assistant", "<think>2+2=4</think>4"),
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return AutoTokenizer.from_pretrained(tiny_qwen.build(tmp_path_factory.mktemp("base")))


def read(tokenizer: Any, template: str, conversation: list[Message]) -> tuple[str, str]:
    tokenizer.chat_template = template
    [exchange] = exchanges(tokenizer, [conversation])
    return tokenizer.decode(exchange.prompt), tokenizer.decode(exchange.response)


def test_the_prompt_ends_where_generation_begins_and_the_response_with_its_turn(
    tokenizer: Any,
) -> None:
    prompt, response = read(tokenizer, tiny_qwen.CHAT_TEMPLATE, CONVERSATION)
    assert prompt == (
        "<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n<think>easy</think>2<|im_end|>\n"
        "<|im_start|>user\nand 2 more?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert response == "<think>2+2=4</think>4<|im_end|>"


def test_a_template_that_drops_reasoning_keeps_that_of_the_final_response(tokenizer: Any) -> None:
    template = tiny_qwen.CHAT_TEMPLATE.replace(
        "message['content']", "message['content'].split('</think>')[-1]"
    )
    prompt, response = read(tokenizer, template, CONVERSATION)
    assert "easy" not in prompt
    assert response == "<think>2+2=4</think>4<|im_end|>"


def test_reasoning_that_the_template_opens_is_not_opened_twice(tokenizer: Any) -> None:
    template = tiny_qwen.CHAT_TEMPLATE.replace("assistant\n' }}", "assistant\n<think>\n' }}")
    prompt, response = read(tokenizer, template, CONVERSATION)
    assert prompt.endswith("<|im_start|>assistant\n<think>\n")
    assert response == "2+2=4</think>4<|im_end|>"


@pytest.mark.parametrize(
    ("conversation", "system"),
    [
        (CONVERSATION, "Be brief."),
        ([Message("system", "Mine."), *CONVERSATION], "Mine."),
    ],
)
def test_a_system_prompt_is_given_to_conversations_without_their_own(
    tokenizer: Any, conversation: list[Message], system: str
) -> None:
    tokenizer.chat_template = tiny_qwen.CHAT_TEMPLATE
    [exchange] = exchanges(tokenizer, [conversation], system="Be brief.")
    rendered = tokenizer.decode(exchange.prompt)
    assert rendered.startswith(f"<|im_start|>system\n{system}<|im_end|>\n")
    assert rendered.count("system\n") == 1


def test_the_end_of_turn_is_what_the_template_writes_and_else_the_end_of_text(
    tokenizer: Any,
) -> None:
    tokenizer.chat_template = tiny_qwen.CHAT_TEMPLATE
    assert tokenizer.convert_ids_to_tokens(end_of_turn(tokenizer)) == "<|im_end|>"
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
    assert tokenizer.convert_ids_to_tokens(end_of_turn(tokenizer)) == "<|endoftext|>"


def test_a_tokenizer_without_chat_template_is_refused_with_its_name(tmp_path: Path) -> None:
    bare = AutoTokenizer.from_pretrained(tiny_qwen.build(tmp_path / "bare", chat_template=None))
    with pytest.raises(ValueError, match="bare has no chat template"):
        exchanges(bare, [CONVERSATION])
