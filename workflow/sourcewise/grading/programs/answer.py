"""The program of an answer: its last fenced block in the language that the reference names."""

from __future__ import annotations

import ast
import re

FENCES = {
    "python": ("python", "python3", "py", ""),
    "cpp": ("cpp", "c++", "cc", "cxx", ""),
}
_FENCE = re.compile(r"^[ \t]*```[ \t]*([\w+-]*)[^\n]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)
_CPP = re.compile(r"^\s*#\s*include\b|\bint\s+main\s*\(", re.MULTILINE)


def extract(answer: str, language: str, name: str = "") -> str | None:
    """The last fenced block, of those that define the function `name` if any do; or all of the answer."""
    tags = FENCES[language]
    blocks = [code for tag, code in _FENCE.findall(answer) if tag.lower() in tags]
    if blocks:
        defined = rf"\bdef\s+{re.escape(name)}\b" if language == "python" else rf"\b{name}\s*\("
        defining = [code for code in blocks if name and re.search(defined, code)]
        return (defining or blocks)[-1]
    if "```" in answer:
        return None
    return answer if (_is_python if language == "python" else _CPP.search)(answer) else None


def _is_python(answer: str) -> bool:
    try:
        return bool(ast.parse(answer).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
