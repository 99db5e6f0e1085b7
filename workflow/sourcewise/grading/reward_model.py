"""The process of a reward model: a local sequence classifier that rates the last reply of conversations.

Reads lines of JSON from its standard input, first the section `Reward`, then lists of conversations, and
writes one line for each conversation. Weights come from safetensors alone and no code comes with them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sourcewise.engines.startup import lean_imports, prepare
from sourcewise.pretrained import locate

BATCH_TOKENS = 16384  # padding included
PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
KEY = "verifiers.dialogue.reward_model"


class Conversation(NamedTuple):
    """The tokens of a conversation and its place among those that were sent together."""

    number: int
    tokens: list[int]


class Classifier:
    """The model with its tokenizer."""

    def __init__(self, *, reward_model: str, revision: str, outputs: Sequence[str]) -> None:
        directory = _directory(reward_model, revision)
        prepare(str(directory))
        with lean_imports():
            import torch
            from transformers import AutoModelForSequenceClassification, AutoTokenizer

        gpu = torch.cuda.is_available()
        self.tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
        if not self.tokenizer.chat_template:
            raise ValueError(f"{KEY}: the tokenizer of {directory} has no chat template")
        self.model, report = AutoModelForSequenceClassification.from_pretrained(
            directory,
            dtype=torch.bfloat16 if gpu else torch.float32,
            device_map="auto" if gpu else None,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
        self.model.eval()
        _check(self.model.config, report, outputs)
        self.end = self.model.config.get_text_config().max_position_embeddings

    def tokens(self, turns: Sequence[tuple[str, str]]) -> list[int]:
        """A conversation under the chat template; texts cannot bring special tokens of their own."""
        rendered = self.tokenizer.apply_chat_template(
            [{"role": role, "content": self._plain(content)} for role, content in turns],
            tokenize=False,
        )
        return list(self.tokenizer(rendered, add_special_tokens=False)["input_ids"])

    def _plain(self, content: str) -> str:
        content = content.encode("utf-8", "replace").decode("utf-8")
        for token in (*self.tokenizer.get_added_vocab(), *self.tokenizer.all_special_tokens):
            if len(token) > 1:
                content = content.replace(token, f"{token[0]} {token[1:]}")
        return content

    def batches(self, conversations: Sequence[Conversation]) -> Iterator[list[Conversation]]:
        """Conversations of like length, the longest first; alone each, where nothing can pad them."""
        pad = self.model.config.pad_token_id
        batch: list[Conversation] = []
        for one in sorted(conversations, key=lambda one: (-len(one.tokens), one.number)):
            full = batch and (pad is None or (len(batch) + 1) * len(batch[0].tokens) > BATCH_TOKENS)
            if full:
                yield batch
                batch = []
            batch.append(one)
        if batch:
            yield batch

    def outputs(self, batch: Sequence[Conversation]) -> list[list[float]]:
        """What the model says of each conversation."""
        import torch

        # Padded on the right: the classifier reads the last token that is none.
        pad, width = self.model.config.pad_token_id, len(batch[0].tokens)
        rows = [one.tokens + [pad] * (width - len(one.tokens)) for one in batch]
        mask = [[1] * len(one.tokens) + [0] * (width - len(one.tokens)) for one in batch]
        device = self.model.device
        with torch.inference_mode():
            given = torch.tensor(rows, device=device), torch.tensor(mask, device=device)
            logits = self.model(input_ids=given[0], attention_mask=given[1]).logits
        return [[float(one) for one in row] for row in logits.float().tolist()]


def _directory(model: str, revision: str) -> Path:
    """The model's directory. Raises ValueError where there is none or its weights are pickles."""
    local = Path(model)
    if local.is_dir() and not any(local.glob("*.safetensors")):
        pickles = sorted(path.name for kind in PICKLES for path in local.glob(kind))
        if pickles:
            raise ValueError(
                f"{KEY}: {model} holds its weights as pickles ({', '.join(pickles)}), which may run code "
                "when they are read: convert them to safetensors where you trust them"
            )
    return locate(KEY, model, revision)


def _check(config: Any, report: dict[str, Any], outputs: Sequence[str]) -> None:
    """Raises ValueError for a model whose outputs would not mean what `outputs` says."""
    if missing := sorted(report["missing_keys"]):
        raise ValueError(
            f"{KEY}: {config.name_or_path} holds no weights for {', '.join(missing)}: it needs code of "
            "its own or is no sequence classifier; transformers would fill them by chance"
        )
    if config.num_labels != len(outputs):
        raise ValueError(
            f"{KEY}: {config.name_or_path} has {config.num_labels} outputs, verifiers.dialogue.outputs "
            f"names {len(outputs)}"
        )
    named = [config.id2label[place] for place in range(config.num_labels)]
    if any(not name.startswith("LABEL_") for name in named) and named != list(outputs):
        raise ValueError(
            f"{KEY}: {config.name_or_path} calls its outputs {', '.join(named)}, verifiers.dialogue.outputs "
            f"{', '.join(outputs)}"
        )


def replies(
    classifier: Classifier, conversations: Sequence[Any], max_tokens: int
) -> Iterator[dict[str, Any]]:
    """What is said of each conversation, in any order: its outputs, its excess length or a problem."""
    most = min(max_tokens, classifier.end)
    fitting = []
    for number, turns in enumerate(conversations):
        try:
            tokens = classifier.tokens(turns)
        except (
            Exception
        ) as error:  # a chat template may refuse roles or their order, in its own words
            yield {"number": number, "problem": f"{type(error).__name__}: {error}"}
            continue
        if len(tokens) > most:
            yield {"number": number, "n_tokens": len(tokens), "max_tokens": most}
        else:
            fitting.append(Conversation(number, tokens))
    for batch in classifier.batches(fitting):
        for one, outputs in zip(batch, classifier.outputs(batch), strict=True):
            yield {"number": one.number, "outputs": outputs}


def main() -> None:
    """Serves until its input ends."""
    # What libraries print belongs into the log.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    knobs = json.loads(sys.stdin.readline())
    wanted = {name: knobs[name] for name in ("reward_model", "revision", "outputs")}
    try:
        classifier, problem = Classifier(**wanted), ""
    except Exception as error:  # of a dozen kinds: a folder that cannot be used
        problem = str(error) or type(error).__name__
    print(json.dumps({"problem": problem}), file=out, flush=True)
    for line in () if problem else sys.stdin:
        for reply in replies(classifier, json.loads(line), knobs["max_tokens"]):
            print(json.dumps(reply), file=out, flush=True)


if __name__ == "__main__":
    main()
