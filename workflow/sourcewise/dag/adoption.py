"""Adoption: Snakemake's records and times made to agree with the files that lie there, whoever brought them."""

from __future__ import annotations

import os

from sourcewise.dag.contents import Contents
from sourcewise.dag.provenance import (
    digest_of,
    forget,
    read,
    recall,
    remember,
    seal_of,
    sidecar,
    stat_of,
)
from sourcewise.dag.records import UNKNOWN, Store


class Adoption:
    """Makes Snakemake's records agree with the files that lie there.

    A file is known when it is as this copy last left it, or when a local run has just made it. Any other
    was brought or changed: if its content is what the stage's sidecar describes, it gets the sidecar's
    record and time; if not, it counts as made from nothing known, so Snakemake makes it anew.
    """

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._store = Store()
        self.adopted: dict[str, int] = {}
        self.unknown: dict[str, list[str]] = {}
        self.lost: dict[str, list[str]] = {}

    def run(self, files: dict[str, list[str]]) -> None:
        """Goes through the files of all stages; `adopted` and `unknown` say what was found."""
        # Nobody else runs: who began these is dead. They are made anew without being asked for.
        for file in self._store.begun(name for names in files.values() for name in names):
            self._store.disown(file)
        for stage, names in files.items():
            brought, changed = self._changed(stage, names)
            if not brought:
                changed = [file for file in changed if not self._own(file)]
            if changed or brought:
                self._settle(stage, changed, brought)
            self._look_for_unnamed(stage)

    def _settle(self, stage: str, changed: list[str], brought: bool) -> None:
        content = read(stage)
        traces = content.traces
        found = self._contents.md5(changed)
        same = [traces[f] for f in changed if f in traces and found[f] == traces[f].md5]
        for trace in same:
            self._store.adopt(trace)
        self._contents.moved({trace.file: trace.md5 for trace in same})
        taken = {trace.file for trace in same}
        left = [file for file in changed if file not in taken and not self._own(file)]
        for file in left:
            self._store.disown(file)
        remember(stage, content)
        # A file that was only touched, or linked anew by `dvc commit`, is not worth a word.
        if same and brought:
            self.adopted[stage] = len(same)
        if left:
            self.unknown[stage] = left

    def _look_for_unnamed(self, stage: str) -> None:
        """Finds what no rule names and is gone: a model or a table is made anew, a ledger can only be
        brought back."""
        memory = recall(stage)
        lost = []
        for file, (size, md5, stat) in memory.get("unnamed", {}).items():
            now, seal = stat_of(file), seal_of(file)
            # A model that was made since then is described by the next sidecar.
            if seal and (sealed := stat_of(seal)) and memory["files"].get(seal) != list(sealed):
                continue
            # A ledger grows, also in a run that was killed before it could say so.
            if now is not None and (list(now) == stat or now[0] > size):
                continue
            if now is None or now[0] < size or self._contents.md5([file])[file] != md5:
                lost.append(file)
        for seal in {seal_of(file) for file in lost}:
            if seal and os.path.exists(seal):
                self._store.disown(seal)
                forget(stage, seal)
        if lost:
            self.lost[stage] = lost

    def _changed(self, stage: str, names: list[str]) -> tuple[bool, list[str]]:
        """Whether the sidecar was brought, and the files that are not as this copy left them."""
        memory = recall(stage)
        brought = memory.get("sidecar") != digest_of(sidecar(stage))
        known = memory.get("files", {})
        there = {name: stat for name in names if (stat := stat_of(name)) is not None}
        if brought:
            return True, list(there)
        return False, [name for name, stat in there.items() if known.get(name) != list(stat)]

    def _own(self, file: str) -> bool:
        """Whether a local run made the file: Snakemake's record was written for this very time."""
        record = self._store.read(file)
        if record is None or record.get("code") == UNKNOWN:
            return False
        return bool(record.get("endtime") == os.stat(file).st_mtime)
