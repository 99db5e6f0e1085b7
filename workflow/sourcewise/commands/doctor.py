"""`sourcewise doctor`: whether this machine can do what params.yaml asks, and the fix where it cannot.

Checks by doing, side by side, within ten seconds (--seconds for slow machines). Nothing is changed. Ends
with 0, or with 1 where there is a problem.
"""

from __future__ import annotations

import argparse
import functools
import json
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sourcewise.doctor import (
    accelerators,
    cluster,
    environments,
    machine,
    needs,
    reaching,
    sharing,
    storage,
)
from sourcewise.doctor.findings import Check, Finding, count, examine

SECONDS = 8.5
WIDTH = 100
MARKS = {
    "ok": ("ok", "green"),
    "warning": ("warning", "yellow"),
    "problem": ("problem", "bold red"),
}


def main(arguments: Sequence[str]) -> int:
    """Looks and says; returns 1 where something is a problem."""
    command = argparse.ArgumentParser(
        prog="sourcewise doctor",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--json", action="store_true", help="the same for programs")
    command.add_argument(
        "--seconds",
        type=float,
        default=SECONDS,
        help=f"the longest that a check may take ({SECONDS:g})",
    )
    options = command.parse_args(arguments)
    needed, findings = needs.read()
    findings = [*findings, *examine(checks(needed, options.seconds), options.seconds)]
    if options.json:
        print(json.dumps([one._asdict() for one in findings], indent=1, ensure_ascii=False))
    else:
        # In a narrower terminal lines break; rich would cut commands off.
        Console(highlight=False, width=WIDTH).print(render(findings))
    return int(any(one.state == "problem" for one in findings))


def checks(needed: needs.Needs, seconds: float) -> Mapping[str, Check]:
    """All checks by name, in the order in which they are shown."""
    # What is slow gives up before the time is up, so that it can say how far it came.
    patience = max(seconds - 0.7, seconds / 2)
    return {
        "environments": environments.environments,
        "sandbox": machine.sandboxed,
        "compiler": functools.partial(machine.compiler, patience),
        "limits": machine.limits,
        "locale": machine.texts,
        "GPUs": accelerators.gpus,
        "vLLM": functools.partial(accelerators.models, patience),
        "disk": storage.room,
        "file system": storage.file_system,
        "clock": storage.clock,
        "git": sharing.git,
        "DVC remote": functools.partial(sharing.dvc_remote, patience),
        "hub": functools.partial(reaching.hub, needed),
        "servers": functools.partial(reaching.servers, needed),
        "Slurm": cluster.slurm,
    }


def render(findings: Sequence[Finding]) -> RenderableType:
    """A line for each finding, what mends it below, and how many are to be mended."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in findings:
        word, style = MARKS[one.state]
        table.add_row(Text(word, style), one.check, Text(one.seen))
        for line in one.fix.splitlines() if one.state != "ok" else ():
            table.add_row("", "", Text(line, "cyan"))
    return Padding(Group(table, Text(""), _summary(findings)), (1, 0, 1, 2), expand=False)


def _summary(findings: Sequence[Finding]) -> Text:
    n = Counter(one.state for one in findings)
    if not n["problem"] and not n["warning"]:
        return Text("Nothing to mend.", "bold")
    parts = [count(n[state], state) for state in ("problem", "warning") if n[state]]
    return Text(f"{' and '.join(parts)}; what mends each stands below it.", "bold")
