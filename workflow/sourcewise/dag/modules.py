"""What a module of the package means and imports, read off its syntax tree.

Parsing a hundred modules takes half a second, and every call of Snakemake asks: what was found is kept
by content, so that an edited file is read anew and no other.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

PACKAGE = "sourcewise"
MEMO = Path(".snakemake/sourcewise/modules.json")
# What is kept depends on both: the form of a syntax tree, and what is read off it.
_READER = f"{sys.version} 1"


class Facts(NamedTuple):
    """A hash of a module's syntax tree, the names it imports, whether it holds more than words."""

    meaning: str
    imports: list[str]
    decides: bool


@functools.cache
def facts(file: Path) -> Facts:
    """The facts of a source file, from the memo where its content is known; raises SyntaxError."""
    content = file.read_bytes()
    key = hashlib.sha256(b"%s\0%s" % (str(file).encode(), content)).hexdigest()
    known = _known()
    if key not in known:
        known[key] = _read(file, ast.parse(content, filename=str(file)))
        _keep(known)
    return Facts(*known[key])


def _read(file: Path, tree: ast.Module) -> Facts:
    return Facts(
        imports=_imports(tree),
        decides=any(not isinstance(node, ast.Expr) for node in tree.body),
        meaning=_meaning(file, tree),
    )


def _imports(tree: ast.Module) -> list[str]:
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.partition(".")[0] == PACKAGE]


def _meaning(file: Path, tree: ast.Module) -> str:
    # The dump leaves out positions and comments: reformatting makes nothing stale. Docstrings are
    # expressions of the tree, but no result depends on them.
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, documented) and ast.get_docstring(node) is not None and body:
            body[:] = body[1:]
    return hashlib.sha256(f"{file}\n{ast.dump(tree)}".encode()).hexdigest()


@functools.cache
def _known() -> dict[str, Facts]:
    try:
        kept = json.loads(MEMO.read_text())
        return dict(kept["facts"]) if kept["reader"] == _READER else {}
    except (FileNotFoundError, ValueError, KeyError):
        return {}


def _keep(known: dict[str, Facts]) -> None:
    # Who only looks may do so on a full or read-only disk; whoever writes hears of it from `running`.
    with contextlib.suppress(OSError):
        MEMO.parent.mkdir(parents=True, exist_ok=True)
        partial = MEMO.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps({"reader": _READER, "facts": known}))
        partial.replace(MEMO)
