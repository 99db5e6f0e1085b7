"""Rows of an exported dataset, and its card."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from sourcewise.commands.licences import conflicts, hub_licence
from sourcewise.tables import Example, Message, Query
from sourcewise.text import final_answer, split_reasoning

# The hub's bins.
SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
SIZE_NAMES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")
# Our categories in the words of a-m-team's releases.
RELEASED_AS = {"math": "math", "code": "code", "science": "science", "instruction": "if"}


@dataclass(frozen=True, slots=True)
class Exported:
    """An Example with the source of its query and the source's licence."""

    query_id: str
    category: str
    source: str
    licence: str
    teacher: str
    messages: list[Message]
    n_tokens: int
    attempt: int
    score: float | None
    perplexity: float | None


def exported(example: Example, query: Query) -> Exported:
    """The row of an example."""
    return Exported(
        query_id=example.query_id,
        category=example.category,
        source=query.source,
        licence=query.licence,
        teacher=example.teacher,
        messages=example.messages,
        n_tokens=example.n_tokens,
        attempt=example.attempt,
        score=example.score,
        perplexity=example.perplexity,
    )


def released_category(query: Query) -> str:
    """The category, and name of the file, that a-m-team's releases have for a query."""
    n_asked = sum(turn.role == "user" for turn in query.messages)
    return RELEASED_AS.get(query.category, "multiturn" if n_asked > 1 else "other")


def released(example: Example, query: Query) -> dict[str, Any]:
    """An example as a record of a-m-team's releases (AM-Thinking-v1-Distilled).

    The query's facts stand with the first question, the response's with the last turn. Every `info` has the
    same keys, and "" where there is no text: what mixes types or keys the hub's client does not load.
    """
    text = example.messages[-1].content
    asked = {
        "source": query.source,
        "category": released_category(query),
        "ground_truth": "",
        "test_case": "",
        "instruction_constrain": "",
    }
    field = {"code": "test_case", "instruction": "instruction_constrain"}.get(
        query.category, "ground_truth"
    )
    asked[field] = _reference(query.reference)
    said: dict[str, Any] = {
        "think_content": split_reasoning(text).reasoning,
        "answer_content": final_answer(text) or "",
        "verify_score": example.score,
        "model_name": example.teacher,
        "ppl": example.perplexity,
    }
    nothing: dict[str, Any] = {
        **dict.fromkeys((*asked, *said), ""),
        "verify_score": None,
        "ppl": None,
    }
    turns = [turn for turn in example.messages if turn.role != "system"]
    infos = [nothing for _ in turns]
    infos[0], infos[-1] = nothing | asked, infos[-1] | said
    system = [turn.content for turn in example.messages if turn.role == "system"]
    return {
        "system": system[0] if system else None,
        "conversations": [
            {
                "from": "human" if turn.role == "user" else "assistant",
                "value": turn.content,
                "info": info,
            }
            for turn, info in zip(turns, infos, strict=True)
        ],
    }


def _reference(reference: str) -> str:
    """A single answer as it is; what has parts stays JSON."""
    content = json.loads(reference) if reference else None
    if isinstance(content, dict) and content.keys() == {"answer"}:
        return str(content["answer"])
    return reference


def dataset_card(
    name: str, card: dict[str, Any], sources: Counter[tuple[str, str]], digest: str
) -> str:
    """README.md in the hub's form; `sources` counts examples by source and licence."""
    licences = {licence for _, licence in sources}
    n = sum(sources.values())
    size = SIZE_NAMES[sum(n >= limit for limit in SIZES)]
    categories = ", ".join(f"{one} {count:,}" for one, count in card["categories"].items())
    steps = "\n".join(f"| {step} | {left:,} |" for step, left in card["waterfall"])
    removed = "\n".join(f"| {by} | {reason} | {n:,} |" for by, reason, n in card["removed"])
    origins = "\n".join(
        f"| {source} | {licence} | {count:,} |"
        for (source, licence), count in sorted(sources.items())
    )
    found = conflicts(licences)
    warnings = "".join(f"- {sentence}\n" for sentence in found) or "None that the names tell.\n"
    return f"""---
license: {hub_licence(licences)}
task_categories:
- text-generation
tags:
- distillation
- reasoning
size_categories:
- {size}
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*.parquet
---

# {name}

{n:,} responses of {", ".join(card["teachers"])}, selected and filtered by Sourcewise: {categories}.
{card["tokens"]["total"]:,} tokens. SHA-256 of the dataset's `examples.parquet`: `{digest}`.

`messages` end with the response, reasoning in `<think>`, answer in `<answer>`; `n_tokens` counts it. `score`
is the verifier's, `attempt` the teacher's try that was taken, `perplexity` the scorer's of the response.

## What was left at each step

| step | rows |
|---|---|
{steps}

| filter | dropped for | rows |
|---|---|---|
{removed or "| none | | 0 |"}

The recipe:

```json
{json.dumps(card["recipe"], indent=1, ensure_ascii=False)}
```

## Licences of the sources

| source | licence | examples |
|---|---|---|
{origins}

In conflict:

{warnings}
Licences of the teachers, for their responses, come on top.
"""
