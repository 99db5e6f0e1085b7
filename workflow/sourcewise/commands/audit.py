"""`sourcewise audit`: how often each verifier errs on answers whose truth is known.

Without --file it reads the labelled sets that lie in a folder: solutions of four models to GSM8K with their
labels, MATH-500 against own and other answers, responses to IFEval with published verdicts, reference
programs and mutants. A labelled file has the rows of `sourcewise verify` with `label`, true or false. Ends
with 0, or with 2 and one line that says what is wrong.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sourcewise.commands import environment
from sourcewise.commands.environment import PACKAGE_ROOT, UsageError
from sourcewise.commands.summary import VERIFIED
from sourcewise.commands.verify import INTERRUPTED, WRONG_USE

SHARES = (
    ("--min-score", VERIFIED, "the least score of an accepted answer"),
    ("--success", 0.5, "right first attempts of a teacher"),
    ("--confidence", 0.95, "level of the intervals"),
)
DATA = PACKAGE_ROOT.parent.parent / "shared/data"


def main(arguments: Sequence[str]) -> int:
    """Counts, prints and writes as the command line says; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        found = _counted(options)
        _report(options, [one["count"] for one in found])
        if options.list:
            _list(found)
    except UsageError as error:
        print(f"sourcewise audit: {error}", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        print("sourcewise audit: interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        prog="sourcewise audit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--labelled", type=Path, default=DATA, metavar="DIR")
    command.add_argument("--set", action="append", metavar="NAME", help="these sets only")
    command.add_argument("--file", type=Path, metavar="F.jsonl", help="a labelled file instead")
    command.add_argument("--category", help="of the file's rows; else each names its own")
    command.add_argument("--params", type=Path, metavar="FILE.yaml", help="limits of verifiers")
    command.add_argument("--out", type=Path, metavar="FILE.json", help="the counts, for the report")
    command.add_argument(
        "--list", action="store_true", help="the answers judged unlike their labels"
    )
    for option, default, meaning in SHARES:
        command.add_argument(
            option, type=_share, metavar="SHARE", default=default, help=f"{meaning} ({default})"
        )
    return command


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{text} does not lie between 0 and 1")
    return share


def _counted(options: argparse.Namespace) -> list[dict[str, Any]]:
    """What the environment that judges has counted."""
    order = {
        "folder": str(options.labelled),
        "sets": [] if options.file else _sets(options.labelled, options.set),
        "file": options.file and str(options.file),
        "category": options.category,
        "params": options.params and str(options.params),
        "min_score": options.min_score,
    }
    if options.file and not options.file.is_file():
        raise UsageError(f"{options.file} does not exist")
    module = ["-m", "sourcewise.commands.counting", json.dumps(order)]
    command = [str(environment.python()), *module]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment.variables()
    ) as counting:
        found = [json.loads(line) for line in counting.stdout or ()]
    if counting.returncode:
        # It has said why.
        raise SystemExit(counting.returncode)
    if not found:
        raise UsageError("no row was judged: nothing can be said")
    return found


def _sets(folder: Path, chosen: list[str] | None) -> list[str]:
    """The sets to read: those that were named, else those that lie in the folder."""
    from sourcewise.commands.labelled import SETS

    for name in chosen or ():
        if name not in SETS:
            raise UsageError(f"no set {name!r}; there are {', '.join(SETS)}")
    missing = {
        name: file
        for name in chosen or SETS
        for file in SETS[name].files
        if not (folder / file).is_file()
    }
    found = [name for name in chosen or SETS if name not in missing]
    if missing and (chosen or not found):
        raise UsageError(f"{folder / next(iter(missing.values()))} does not exist")
    for name, file in missing.items():
        print(f"audit: without {name}: {folder / file} does not exist", file=sys.stderr)
    return found


def _report(options: argparse.Namespace, counts: list[dict[str, Any]]) -> None:
    # numpy and scipy, which the environment that judges has not.
    from sourcewise.commands.audit_table import table
    from sourcewise.error_rates import Audit, Count

    audit = Audit(min_score=options.min_score, sets=tuple(Count(**count) for count in counts))
    print(table(audit, confidence=options.confidence, success=options.success))
    if options.out:
        try:
            options.out.write_text(audit.model_dump_json(indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"--out {options.out}: {error.strerror}") from None


def _list(found: list[dict[str, Any]]) -> None:
    for one in found:
        for answer in one["differing"]:
            truth = "right" if answer["label"] else "wrong"
            print(
                f"\n{one['count']['set']} {answer['id']}, {truth} by its label: {answer['status']}"
            )
            print(f"{answer['score']} {answer['detail']}\nreference: {answer['reference']}")
            print(f"response: {answer['response']}")
