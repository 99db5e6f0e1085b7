"""`python -m sourcewise STAGE --…`: a stage's signature is its command line. Other commands are for people.

A parameter of type Path is one path, a tuple of paths takes several, a Section (or a mapping of them)
takes the JSON that a rule hands over, anything else is read as JSON and falls back to plain text.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import pkgutil
import sys
import time
import traceback
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sourcewise.orphans import at_work

# For people; the first word of the command line, and the module whose `main` takes the rest.
COMMANDS = {
    "status": "sourcewise.dag.status",
    "verify": "sourcewise.commands.verify",
    "audit": "sourcewise.commands.audit",
    "ledger": "sourcewise.commands.ledger",
    "forecast": "sourcewise.commands.forecast",
    "account": "sourcewise.commands.account",
    "doctor": "sourcewise.commands.doctor",
    "export": "sourcewise.commands.export",
    "serve": "sourcewise.commands.serve",
    "view": "sourcewise.commands.view",
}


def stages() -> list[str]:
    """The names of all stages: the modules of `sourcewise.stages`."""
    package = importlib.import_module("sourcewise.stages")
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def parser(stage: str, run: Callable[..., None]) -> argparse.ArgumentParser:
    """The command line of a stage, read off the signature of its `run`."""
    command = argparse.ArgumentParser(prog=f"sourcewise {stage}", description=inspect.getdoc(run))
    hints = typing.get_type_hints(run)
    for name, parameter in inspect.signature(run).parameters.items():
        required = parameter.default is inspect.Parameter.empty
        command.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            required=required,
            default=None if required else parameter.default,
            nargs="*" if typing.get_origin(hints[name]) is tuple else None,
        )
    return command


def _value(hint: Any, given: str | list[str], option: str) -> object:
    if isinstance(given, list):
        return tuple(Path(part) for part in given)
    if hint in (str, Path):
        return hint(given)
    try:
        return TypeAdapter(hint).validate_json(given)
    except ValidationError as error:
        raise SystemExit(f"sourcewise: --{option} {given!r} cannot be used: {error}") from None


def _is_a_stage(given: Sequence[str]) -> bool:
    """`verify` is a stage, too: where it is given the tables that only a rule has."""
    return given[0] in stages() and "--queries" in given


def _foreseen(error: Exception) -> bool:
    """Whether a `raise` of this package made an error, not a library or a slip."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    inside = Path(place.filename).is_relative_to(Path(__file__).parent)
    return inside and (place.line or "").startswith("raise ")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one stage; exits with 2 and a message where the command line is wrong.

    An error that the package raises itself says all there is to say; any other leaves its traceback.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in COMMANDS and not _is_a_stage(given):
        raise SystemExit(importlib.import_module(COMMANDS[given[0]]).main(given[1:]))
    if not given or given[0] not in stages():
        raise SystemExit(
            f"usage: sourcewise {'|'.join(COMMANDS)}, or python -m sourcewise STAGE --…\n"
            f"stages: {' '.join(stages())}"
        )
    # Threads that spin long while they wait slow each other down tenfold where jobs share cores; threads that
    # sleep at once cost a job that is alone a quarter. OpenMP reads this when torch is loaded; a wait policy
    # that the user sets overrules it.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    stage = given[0]
    run = importlib.import_module(f"sourcewise.stages.{stage}").run
    hints = typing.get_type_hints(run)
    options = vars(parser(stage, run).parse_args(given[1:]))
    values = {
        name: _value(hints[name], text, name) if isinstance(text, str | list) else text
        for name, text in options.items()
    }
    start = time.monotonic()
    try:
        with at_work():
            run(**values)
    except Exception as error:
        if not _foreseen(error):
            raise
        raise SystemExit(f"sourcewise {stage}: {error}") from None
    print(f"{stage}: done in {time.monotonic() - start:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
