"""What a run leaves behind for the next machine: the traces of the files that its jobs made."""

from __future__ import annotations

import os
from typing import Any

from sourcewise.dag import provenance
from sourcewise.dag.contents import Contents
from sourcewise.dag.provenance import Sidecar, Trace, looked_after, named_params
from sourcewise.dag.records import Store
from sourcewise.dag.staleness import Declarations


class Export:
    """Writes the sidecars of stages whose files are not as their sidecar describes them."""

    def __init__(self, workflow: Any, declarations: Declarations, contents: Contents) -> None:
        self._workflow, self._declarations, self._contents = workflow, declarations, contents
        self._store = Store()

    def run(self, stage: str, files: list[str], jobs: dict[str, Any]) -> None:
        """Brings the sidecar of a stage up to date; `jobs` made or would make each of its files.

        A file of the stage that no job of this run stands for keeps its trace.
        """
        old = provenance.read(stage)
        current = {file for file in files if file in old.traces and old.traces[file].lies_there()}
        if current.issuperset(files) and set(old.traces) == set(files):
            return
        new = Sidecar({file: old.traces[file] for file in current})
        made = [f for f in files if f not in current and f in jobs and self._settled(jobs[f])]
        # All at once: DVC's memo answers a thousand questions as fast as one.
        self._contents.md5([*made, *(str(i) for f in made for i in jobs[f].input)])
        for file in made:
            trace = self._trace(file, jobs[file])
            if trace is not None:
                new.traces[file] = trace
        for trace in new.traces.values():
            for value in trace.params.values():
                known = self._declarations.closures.get(value) or old.code.get(value)
                if known:
                    new.code[value] = known
        new.unnamed = self._unnamed(stage)
        provenance.write(stage, new)

    def _unnamed(self, stage: str) -> dict[str, tuple[int, str]]:
        """The files of the stage that no rule names, but that jobs or people rely on."""
        found = [
            f"{folder}/{name}"
            for out in self._declarations.stages[stage].outs
            for folder, _, names in os.walk(out)
            for name in names
            if not name.startswith(".") and looked_after(f"{folder}/{name}")
        ]
        md5 = self._contents.md5(found)
        return {file: (os.stat(file).st_size, md5[file]) for file in found}

    def _settled(self, job: Any) -> bool:
        dag = self._workflow.dag
        return bool(dag.finished(job) or not dag.needrun(job))

    def _trace(self, file: str, job: Any) -> Trace | None:
        record = self._store.kept(file)
        if record is None:
            return None
        stat = os.stat(file)
        return Trace(
            file=file,
            size=stat.st_size,
            md5=self._contents.md5([file])[file],
            mtime_ns=stat.st_mtime_ns,
            made_from=self._contents.digest(map(str, job.input)),
            params=named_params(job),
            record=record,
        )
