"""Plain values as Python source, which is how they enter a sandbox."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any


def literal(value: Any) -> str:
    """Source whose value is `value`; what is no plain value becomes an object equal to nothing."""
    match value:
        case float() if not math.isfinite(value):
            return f"float({str(value)!r})"
        case complex():
            return f"complex({literal(value.real)}, {literal(value.imag)})"
        case list():
            return f"[{_joined(value)}]"
        case tuple():
            return f"({_joined(value)}{',' if len(value) == 1 else ''})"
        case set() | frozenset():
            # Sorted, because a set's order differs from process to process.
            return f"{type(value).__name__}([{', '.join(sorted(map(literal, value)))}])"
        case dict():
            return f"{{{', '.join(f'{literal(k)}: {literal(v)}' for k, v in value.items())}}}"
        case int() if value.bit_length() > 4096:
            return hex(value)  # the decimal form has a length limit
        case None | bool() | int() | float() | str() | bytes():
            return repr(value)
    return "object()"


def call(name: str, arguments: Iterable[Any], named: dict[str, Any] | None = None) -> str:
    """The source of a call with plain arguments."""
    keywords = [f"{key}={literal(value)}" for key, value in (named or {}).items()]
    return f"{name}({', '.join([*map(literal, arguments), *keywords])})"


def _joined(values: Iterable[Any]) -> str:
    return ", ".join(map(literal, values))
