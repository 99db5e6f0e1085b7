"""The chat template that a student is trained with and keeps: its base's, a given one, or ours."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import TemplateError

from sourcewise.chat import exchanges
from sourcewise.tables import Message
from sourcewise.text import THINK_CLOSE, THINK_OPEN

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FILE = "chat_template.jinja"
OURS = "ours"
# ChatML. A tokenizer without its signs spells the opening one in pieces and ends turns with its end of text.
START, END = "<|im_start|>", "<|im_end|>"
REMEDY = "set train.chat_template to ours, or to a Jinja file under data/raw"
RESPONSE = f"{THINK_OPEN}\nreasons\n{THINK_CLOSE}\n\nreply"


def tokenizer(base: Path, chosen: str | None) -> PreTrainedTokenizerBase:
    """The tokenizer of `base` with the template that `train.chat_template` names; null keeps the base's.

    Raises ValueError where there is none, or one that students cannot be trained with.
    """
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(base)
    if chosen == OURS:
        loaded.chat_template = ours(loaded)
    elif chosen is not None:
        loaded.chat_template = Path(chosen).read_text(encoding="utf-8")
    check(loaded, chosen or f"the chat template of train.base {base}")
    return loaded


def ours(tokenizer: PreTrainedTokenizerBase) -> str:
    """ChatML in the tokens of a tokenizer, behind the token that its texts begin with, if they do."""
    known = tokenizer.get_vocab()
    end = END if {START, END} <= known.keys() else tokenizer.eos_token
    if end is None:
        raise ValueError(
            f"train.chat_template: ours needs a token that ends a turn, and the tokenizer of "
            f"{tokenizer.name_or_path} has neither {END} nor an eos_token"
        )
    begins = tokenizer.bos_token_id in (tokenizer("a")["input_ids"] or [None])[:1]
    first = tokenizer.bos_token if begins and tokenizer.bos_token else ""
    return (
        f"{first}{{%- for message in messages %}}"
        f"{{{{- '{START}' + message['role'] + '\\n' + message['content'] + '{end}\\n' }}}}"
        "{%- endfor %}"
        f"{{%- if add_generation_prompt %}}{{{{- '{START}assistant\\n' }}}}{{%- endif %}}"
    )


def check(tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Raises ValueError at a template that leaves no place for a reasoning; tells of one that drops it.

    Our rows append the response to the rendered prompt, so that no template can touch it. A template that
    rewrites it would still mislead whoever renders whole conversations for the student.
    """
    if not tokenizer.chat_template:
        raise ValueError(f"{name} does not exist, as with most base models: {REMEDY}")
    turns = [{"role": "user", "content": "question"}, {"role": "assistant", "content": RESPONSE}]
    try:
        prompt = tokenizer.apply_chat_template(
            turns[:1], tokenize=False, add_generation_prompt=True
        )
        whole = tokenizer.apply_chat_template(turns, tokenize=False)
    except (TemplateError, TypeError) as error:
        raise ValueError(f"{name} cannot be rendered ({error}): {REMEDY}") from None
    if "question" not in prompt:
        raise ValueError(f"{name} leaves out what the user says: {REMEDY}")
    if THINK_CLOSE in prompt:
        raise ValueError(
            f"{name} closes the reasoning before the response begins ({prompt[-60:]!r}): {REMEDY}"
        )
    opened = prompt.rstrip().endswith(THINK_OPEN)
    response = RESPONSE.removeprefix(f"{THINK_OPEN}\n") if opened else RESPONSE
    if not whole.startswith(prompt + response):
        print(
            f"train: {name} rewrites the final response, such as its reasoning. Students are trained on "
            f"the response as it is; to give them a template that keeps it, {REMEDY}",
            file=sys.stderr,
        )
    written = exchanges(tokenizer, [[Message("user", "question"), Message("assistant", RESPONSE)]])[
        0
    ].response
    read = tokenizer.decode(written[:-1])
    if "".join(read.split()) != "".join(response.split()):
        print(
            f"train: the tokenizer of {tokenizer.name_or_path} reads {response!r} back as {read!r}",
            file=sys.stderr,
        )


def digest(chosen: str | None) -> str:
    """What stands for a file that `train.chat_template` names."""
    if chosen in (None, OURS):
        return ""
    if not Path(chosen).is_file():
        raise ValueError(f"train.chat_template: {chosen} is neither {OURS} nor a file")
    return hashlib.sha256(Path(chosen).read_bytes()).hexdigest()


def put(directory: Path, template: str) -> None:
    """Makes a template that of the tokenizer in a directory."""
    (directory / FILE).write_text(template, encoding="utf-8")
    path = directory / "tokenizer_config.json"
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if content.pop("chat_template", None) is not None:
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
