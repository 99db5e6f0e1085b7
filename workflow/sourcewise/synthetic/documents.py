"""What tiny models read while they are made: traces in one style, and equations."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from sourcewise.params.models import Problems
from sourcewise.params.queries import Synthetic
from sourcewise.synthetic.problems import problems
from sourcewise.synthetic.traces import STYLES, Style, drill, trace
from sourcewise.tables import Message

# What the tokenizer of every model is trained on, whatever the model reads later.
VOCABULARY_PROBLEMS = Problems(arithmetic=600, multi_turn=100, code=400, instruction=400, drills=20)


class Document(NamedTuple):
    """A target to learn, after the messages of its query; no messages where it stands alone."""

    messages: list[Message]
    target: str


def documents(
    amounts: Problems, *, style: Style, label_noise: float, seed: int
) -> Iterator[Document]:
    """Yields the training documents of a model, task after task; never a held-out query."""
    rng = random.Random(f"{seed}/traces")
    for task, n in amounts:
        if task == "drills" or n == 0:
            continue
        spec = Synthetic.model_validate({"task": task, "n": n, "seed": seed})
        for problem in problems(spec, seed=0):
            yield Document(problem.messages, trace(problem, style, rng, label_noise=label_noise))
    for _ in range(amounts.drills):
        yield Document([], drill(rng))


def vocabulary_text() -> Iterator[str]:
    """Yields texts in every style, so that one tokenizer fits all models."""
    for style in STYLES:
        for document in documents(VOCABULARY_PROBLEMS, style=style, label_noise=0.0, seed=0):
            yield from (f"{turn.role}\n{turn.content}" for turn in document.messages)
            yield f"assistant\n{document.target}"
