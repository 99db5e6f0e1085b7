"""`sourcewise verify FILE.jsonl`: a verdict for each row of anybody's data.

A row has `id`, `prompt` or `messages`, `reference` and `response`; `finish_reason` and `category` where
needed. A line of the output has `id`, `status`, `score`, `detail` and `seconds`, and `facts` if there are
any. A row that cannot be read has the status `malformed` and its `line`. Rows keep their order. Ends with
0 and a summary, or with 2 and one line that says what is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sourcewise.commands import environment, knobs
from sourcewise.commands.bar import Bar
from sourcewise.commands.environment import UsageError
from sourcewise.commands.output import STDOUT, Output
from sourcewise.commands.rows import Row, read
from sourcewise.commands.summary import Summary
from sourcewise.grading.attempts import Judged
from sourcewise.grading.sandbox import SandboxUnavailableError

COMPLAINTS = 20
WRONG_USE, INTERRUPTED = 2, 130


def main(arguments: Sequence[str]) -> int:
    """Judges a file as the command line says; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        if not environment.is_here():
            environment.hand_over(["verify", *arguments])
        # A job that is ended by its machine leaves no half of a file either.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        _verify(options)
    except (UsageError, SandboxUnavailableError) as error:
        print(f"sourcewise verify: {error}", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        print("sourcewise verify: interrupted, nothing was written", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read stdout has seen enough; at exit Python would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        prog="sourcewise verify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Limits of time and memory stand in the section verifiers of params.yaml. The stage of the "
        "same name takes --queries and --responses.",
    )
    command.add_argument("file", type=Path, metavar="FILE.jsonl")
    command.add_argument("--category", help="of all rows; without it each row names its own")
    command.add_argument("--out", required=True, metavar="OUT.jsonl", help="- for stdout")
    command.add_argument(
        "--params",
        type=Path,
        metavar="FILE.yaml",
        help="where the section verifiers stands (default: params.yaml here, else the preset tiny)",
    )
    return command


def _verify(options: argparse.Namespace) -> None:
    # Imports every verifier, which the environment that hands over has no use for.
    from sourcewise.commands.judging import Judging
    from sourcewise.stages.verify import VERIFIERS

    _check(options, list(VERIFIERS))
    found = knobs.read(options.params)
    bar = Bar(f"verify {options.file.name}", options.file.stat().st_size)
    summary = Summary()
    with Output(options.out) as out:
        rows = read(options.file, category=options.category, known=list(VERIFIERS))
        for row, verdict in Judging(rows, found.verifiers):
            out.write(_line(row, verdict))
            if verdict is None:
                _complain(bar, row, summary.malformed)
            summary.add(verdict)
            bar.advance(row.end)
        seconds = bar.finish()
        if not summary.judged:
            raise UsageError(
                f"{options.file} has no row that can be judged: {summary.malformed:,} are malformed"
            )
    if summary.malformed > COMPLAINTS:
        bar.say(f"verify: {summary.malformed - COMPLAINTS:,} more malformed rows")
    text = summary.text(name=options.file.name, seconds=seconds, limits=found.file)
    print(text, file=sys.stderr if options.out == STDOUT else sys.stdout)


def _check(options: argparse.Namespace, known: list[str]) -> None:
    """Raises UsageError for what can be seen before anything is judged."""
    if options.category is not None and options.category not in known:
        raise UsageError(
            f"no verifier for category {options.category!r}; there are {', '.join(known)}"
        )
    if not options.file.is_file():
        problem = "is no file" if options.file.exists() else "does not exist"
        raise UsageError(f"{options.file} {problem}")
    if options.file.stat().st_size == 0:
        raise UsageError(f"{options.file} is empty")
    if Path(options.out).resolve() == options.file.resolve():
        raise UsageError(f"--out {options.out} would replace the rows that are to be judged")


def _line(row: Row, verdict: Judged | None) -> dict[str, Any]:
    line: dict[str, Any] = {"id": row.given.get("id")}
    if verdict is None:
        return line | {"line": row.line, "status": "malformed", "detail": row.problem}
    line |= {"status": verdict.status, "score": verdict.score, "detail": verdict.detail}
    line |= {"seconds": round(verdict.seconds, 6)}
    return line | ({"facts": json.loads(verdict.facts)} if verdict.facts else {})


def _complain(bar: Bar, row: Row, before: int) -> None:
    if before < COMPLAINTS:
        bar.say(f"verify: line {row.line:,}: {row.problem}")
