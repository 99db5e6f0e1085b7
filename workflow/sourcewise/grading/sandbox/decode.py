"""Values that come out of the sandbox: plain data, read without trusting who wrote it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

MAX_HASHED = 10_000  # a program can make all its integers collide, and then the cost is the square


class Value(NamedTuple):
    """A value, or the `error` in whose place it is."""

    value: Any
    error: str | None


class Opaque:
    """An object that is no plain data; equal to nothing, itself included."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"an object of type {self.kind}"


def value(line: bytes) -> Value:
    """The value of a line as `inside.encode` writes it; anything else is an error, never an exception."""
    try:
        parsed = json.loads(line)
        if isinstance(parsed, dict) and set(parsed) == {"error"}:
            return Value(None, str(parsed["error"])[:300])
        return Value(_plain(parsed), None)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        return Value(None, f"no plain value ({type(error).__name__})")


def _plain(parsed: Any) -> Any:
    if parsed is None or isinstance(parsed, bool | str):
        return parsed
    if not isinstance(parsed, dict) or len(parsed) != 1:
        raise ValueError("not tagged")
    [(tag, content)] = parsed.items()
    match tag:
        case "i":
            return int(content, 16)
        case "f":
            return float(content)
        case "l":
            return [_plain(part) for part in content]
        case "t":
            return tuple(_plain(part) for part in content)
        case "s" | "d" if len(content) > MAX_HASHED:
            raise ValueError("too many entries")
        case "s":
            return {_hashable(_plain(part)) for part in content}
        case "d":
            return {_hashable(_plain(key)): _plain(part) for key, part in content}
        case "b":
            return bytes.fromhex(content)
        case "c":
            return complex(float(content[0]), float(content[1]))
        case "o":
            return Opaque(str(content))
    raise ValueError(f"unknown tag {tag!r}")


def _hashable(value: Any) -> Any:
    """A set within a set, or as a key, was a frozenset."""
    return frozenset(value) if isinstance(value, set) else value
