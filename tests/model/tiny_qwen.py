"""Random models with a small ChatML tokenizer, for the tests of training and scoring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CHAT_TEMPLATE = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)


def build(
    directory: Path,
    *,
    tied: bool = False,
    chat_template: str | None = CHAT_TEMPLATE,
    hidden_size: int = 32,
    n_layers: int = 2,
) -> Path:
    """Writes the model as a Hugging Face directory.

    Its end of text is not the end of a turn, as in a base model.
    """
    from transformers import Qwen2Config

    return write(
        directory,
        Qwen2Config,
        chat_template=chat_template,
        hidden_size=hidden_size,
        num_hidden_layers=n_layers,
        tie_word_embeddings=tied,
    )


def capped(directory: Path) -> Path:
    """Writes a model whose attention scores are capped, so low that it shows."""
    from transformers import Gemma2Config

    return write(
        directory,
        Gemma2Config,
        head_dim=16,
        query_pre_attn_scalar=16,
        attn_logit_softcapping=0.1,
        final_logit_softcapping=None,
    )


def write(
    directory: Path, config: Any, *, chat_template: str | None = CHAT_TEMPLATE, **changes: Any
) -> Path:
    """Writes a random model of that class of configurations, which is built with these changes."""
    import torch
    from transformers import AutoModelForCausalLM

    tokenizer = spelling(chat_template)
    torch.manual_seed(0)
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 512,
        "initializer_range": 0.2,
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "pad_token_id": None,
        "eos_token_id": 0,
    }
    AutoModelForCausalLM.from_config(config(**(shape | changes))).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def spelling(chat_template: str | None) -> Any:
    """A tokenizer of single bytes and the signs of ChatML."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    pieces = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens + alphabet)}, merges=[]))
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    pieces.add_special_tokens([AddedToken(token, special=True) for token in tokens])
    pieces.add_tokens([AddedToken(tag, special=False) for tag in ("<think>", "</think>")])
    return PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        chat_template=chat_template,
    )
