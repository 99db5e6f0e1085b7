"""What a check saw, and checks that run beside each other, each for a limited time."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

State = Literal["ok", "warning", "problem"]
# A command gives up before the check that waits for it does, so the check can say what was silent.
COMMAND_SECONDS = 5.0
LATE = "wait for a quieter machine, or: sourcewise doctor --seconds 60"


class Finding(NamedTuple):
    """One line: the state of something, what was seen, and what mends it (a command where there is one)."""

    check: str
    state: State
    seen: str
    fix: str = ""


Check = Callable[[], list[Finding]]


class CommandError(RuntimeError):
    """A program failed or does not exist; the message says which."""


class SilentError(CommandError):
    """A program did not end in time, which a busy machine may be to blame for."""


def say(
    *command: str,
    seconds: float = COMMAND_SECONDS,
    stdin: str = "",
    variables: Mapping[str, str] | None = None,
) -> str:
    """What a program wrote; raises CommandError with its last words where it failed."""
    try:
        result = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            env=variables,
        )
    except FileNotFoundError:
        raise CommandError(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise SilentError(f"{command[0]} was silent for {seconds:g} s") from None
    except OSError as error:
        raise CommandError(f"{command[0]}: {error.strerror}") from None
    if result.returncode:
        raise CommandError(
            last_words(result.stderr) or f"{command[0]} ended with {result.returncode}"
        )
    return result.stdout


def last_words(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def examine(checks: Mapping[str, Check], seconds: float) -> list[Finding]:
    """The findings of all checks in their order; none takes longer than `seconds`, none stops another.

    A check that raises or does not end is a problem of its own. Its thread is left behind: a file system
    that hangs cannot be interrupted.
    """
    found: dict[str, list[Finding]] = {}

    def run(name: str, check: Check) -> None:
        try:
            found[name] = check()
        except Exception as error:
            seen = f"the check itself failed: {type(error).__name__}: {error}"
            found[name] = [Finding(name, "problem", seen, "tell it to the maintainers")]

    threads = [
        threading.Thread(target=run, args=(name, check), daemon=True)
        for name, check in checks.items()
    ]
    end = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    late = f"no result after {seconds:g} s"
    return [
        finding
        for name in checks
        for finding in found.get(name, [Finding(name, "problem", late, LATE)])
    ]


def count(n: int, noun: str) -> str:
    """A number with its noun, in the plural where it has to be."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def listed(names: Sequence[str], most: int = 4) -> str:
    """Names with commas, the first few of many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
