"""Texts that nobody vouches for, made fit to stand in a prompt: capped, visible, quoted line by line."""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufff0-\uffff]")
# Joiners, marks of direction, fillers, selectors, tags: what they do to a text cannot be seen in it.
_INVISIBLE = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
# Servers read the special tokens of chat templates also where they stand in the content of a turn.
_TOKEN = re.compile(
    r"<(?=[|｜]|/?(?:s|bos|eos|pad|unk|think|tool_call|tool_response|(?:start|end)_of_turn)>|<SYS>|</SYS>)"
    r"|[|｜](?=>)|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])"
)


def visible(text: str) -> str:
    """A text without invisible characters, in which no special token of a chat template can be read."""
    text = _CONTROL.sub("\ufffd", _INVISIBLE.sub("", text.replace("\r\n", "\n")))
    return _TOKEN.sub(lambda found: f"{found.group()} ", text)


def capped(text: str, max_chars: int) -> str:
    """The two halves of what may stay, the beginning and the end; what was left out is said between."""
    left_out = len(text) - max_chars
    if left_out <= 0:
        return text
    head = max_chars // 2
    return f"{text[:head]}\n[{left_out} characters left out]\n{text[head + left_out :]}"


def quoted(text: str) -> str:
    """A text whose every line begins with a bar, so that none of them can pass for a line of ours."""
    return "\n".join(f"| {line}" for line in text.split("\n"))
