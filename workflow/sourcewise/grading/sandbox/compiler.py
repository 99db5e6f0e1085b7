"""Compiles C++ inside the sandbox, and keeps what it built under the digest of what it was built from.

A compiler reads files and runs for as long as its input tells it to: it is no safer than the program. The
one thing that is compiled outside is our own header.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import re
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from sourcewise.grading.sandbox import cache
from sourcewise.grading.sandbox.command import binary
from sourcewise.grading.sandbox.supervisor import Result, run
from sourcewise.grading.sandbox.watch import MIB, Limits

FLAGS = ("-O2", "-std=gnu++17", "-w", "-fmax-errors=1", "-fdiagnostics-color=never")
MEMORY_MB = 2048
BINARY_BYTES = 32 * MIB
STALE_SECONDS = 3600
HEADER = "bits/stdc++.h"
# What HumanEval-X takes from Boost, which few machines have, is in C++17 under the same names.
ANY = """\
#pragma once
#include <any>
namespace boost { using std::any; using std::any_cast; using std::bad_any_cast; }
"""
NO_COMPILER = (
    "no g++ here, and C++ is compiled by it: install it (Debian, Ubuntu: apt-get install g++)"
)
_ENDED = re.compile(r"[^:\n]* signal terminated program \S+")
_ERROR = re.compile(r"^.*\b(?:fatal )?error: (.*)$|^.*(undefined reference to .*)$", re.MULTILINE)
_building = threading.Lock()


class CompileError(Exception):
    """A program that was not built; `ended` is error, timeout, memory, crash, output or unavailable."""

    def __init__(self, ended: str, message: str) -> None:
        super().__init__(message)
        self.ended = ended


def build(source: str, *, seconds: float) -> Path:
    """The binary of a C++ program, from the cache if it is there; raises CompileError.

    A source whose first line includes HEADER is compiled with the precompiled one.
    """
    try:
        headers = _headers()
        words = "\0".join((source, *FLAGS, headers.name))
        key = hashlib.sha256(words.encode("utf-8", "replace"))
        kept = cache.folder() / "binaries" / key.hexdigest()
        if not cache.whole(kept):
            cache.keep(_compiled(source, headers, seconds), kept)
    except cache.NoFolderError as error:
        raise CompileError("unavailable", str(error)) from None
    return kept


def _compiled(source: str, headers: Path, seconds: float) -> bytes:
    flags = " ".join(FLAGS)
    make = f"PATH=/usr/bin:/bin g++ {flags} -I/headers -x c++ -o /tmp/program -"
    limits = Limits(seconds, MEMORY_MB, BINARY_BYTES)
    result = run(
        binary(seconds, MEMORY_MB, ["/bin/sh", "-c", f"{make} >&2 && cat /tmp/program"]),
        source.encode("utf-8", "replace"),
        limits=limits,
        binds=("--ro-bind", str(headers), "/headers"),
    )
    if result.ended == "exit" and result.code == 0:
        return result.output
    raise _error(result)


def _error(result: Result) -> CompileError:
    """What went wrong: the compiler's processes are ended by limits of their own, and g++ tells of it."""
    text = result.errors
    if result.ended != "exit":
        return CompileError(result.ended, result.ended)
    if killed := _ENDED.search(text):
        return CompileError("timeout" if "CPU time" in killed[0] else "crash", killed[0].strip())
    if "internal compiler error" in text:
        return CompileError("crash", "internal compiler error")
    found = _ERROR.search(text)
    return CompileError("error", (found[1] or found[2]) if found else text.strip()[:200])


def _headers() -> Path:
    """The folder with the precompiled header, built once by the first who needs it."""
    headers = cache.folder() / f"headers-{identity()}"
    with _building:
        if not headers.is_dir():
            try:
                _build_headers(headers)
            except OSError as error:
                raise cache.NoFolderError(headers.parent, error) from None
    return headers


def _build_headers(headers: Path) -> None:
    for left in headers.parent.glob(".headers-*"):
        if time.time() - left.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=".headers-", dir=headers.parent))
    try:
        for name in ("bits", "boost"):
            (draft / name).mkdir()
        (draft / "boost/any.hpp").write_text(ANY)
        header = draft / HEADER
        header.write_text(f"#include_next <{HEADER}>\n")
        command = ["g++", *FLAGS, "-x", "c++-header", str(header)]
        built = subprocess.run(command, capture_output=True, check=False)
        if built.returncode != 0:
            problem = built.stderr.decode("utf-8", "replace").strip()[:200]
            raise CompileError("unavailable", f"g++ cannot compile <{HEADER}>: {problem}")
        for path in (draft, *draft.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        with contextlib.suppress(OSError):  # another process was first
            draft.rename(headers)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@functools.cache
def identity() -> str:
    """A digest of the compiler and its flags; raises CompileError where there is none."""
    if shutil.which("g++") is None:
        raise CompileError("unavailable", NO_COMPILER)
    version = subprocess.run(["g++", "-v"], capture_output=True, check=True).stderr
    return hashlib.sha256(version + " ".join(FLAGS).encode() + ANY.encode()).hexdigest()[:16]
