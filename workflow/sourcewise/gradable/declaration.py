"""What a question in C++ gives of the function that an answer has to write."""

from __future__ import annotations

import re
from typing import NamedTuple

from sourcewise.gradable.unusable import UnusableReferenceError

_SIGNATURE = re.compile(r"(?:^|[;}>\n])([^;{}#\n]*?\b(\w+)\s*\([^;{}]*\)\s*)$")


class Declaration(NamedTuple):
    """What a question gives of a function: what stands before it, its head and its name."""

    preamble: str
    head: str
    name: str


def declaration(text: str) -> Declaration:
    """Cuts the text of a question before its last function; raises UnusableReferenceError if there is none."""
    depth, start = 0, -1
    for at, sign in enumerate(text):
        if sign == "{":
            start = at if depth == 0 else start
            depth += 1
        elif sign == "}":
            depth -= 1
    found = _SIGNATURE.search(text[:start]) if start >= 0 else None
    if not found:
        raise UnusableReferenceError(f"{text[-120:]!r} does not end with the head of a function")
    return Declaration(text[: found.start(1)], found[1].strip(), found[2])
