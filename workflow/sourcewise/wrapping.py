"""Brings a raw text into `<think>…</think><answer>…</answer>` by the rule that its teacher names.

The ledger keeps the raw text, the Response table the wrapped one: changing a rule asks no model again.
"""

from __future__ import annotations

from sourcewise.params.distill import Wrap
from sourcewise.text import (
    ANSWER_CLOSE,
    ANSWER_OPEN,
    THINK_CLOSE,
    THINK_OPEN,
    Parts,
    split_reasoning,
)


def wrap(text: str, rule: Wrap) -> str:
    """The text in the form that verifiers and students expect.

    Left alone are a text whose answer is tagged already, and one whose reasoning never ended: it was cut
    off, so nothing in it is an answer. For the same reason a text without the marker line that its
    rule asks for becomes reasoning that never ended. Under `whole`, a text that has reasoning after all is
    cut behind it.
    """
    parts = split_reasoning(text)
    if rule.rule == "none" or not parts.closed or ANSWER_OPEN in parts.answer:
        return text
    if rule.rule == "whole" and THINK_CLOSE not in text:
        return f"{ANSWER_OPEN}{text}{ANSWER_CLOSE}"
    if rule.rule == "marker":
        return _marker(parts, str(rule.marker))
    # Some chat templates open the reasoning in the prompt, so that the text lacks `<think>`.
    return _tagged(parts.reasoning, parts.answer.strip()) if THINK_CLOSE in text else text


def _marker(parts: Parts, marker: str) -> str:
    lines = parts.answer.split("\n")
    marked = [number for number, line in enumerate(lines) if line.startswith(marker)]
    last = marked[-1] if marked else len(lines)
    reasoning = "\n".join([*filter(None, [parts.reasoning]), *lines[:last]])
    if not marked:
        return THINK_OPEN + reasoning
    return _tagged(reasoning, lines[last].removeprefix(marker).strip())


def _tagged(reasoning: str, answer: str) -> str:
    return f"{THINK_OPEN}{reasoning}{THINK_CLOSE}{ANSWER_OPEN}{answer}{ANSWER_CLOSE}"
