"""Asks stale jobs for reasons of their own, which Snakemake's records and the sidecars tell."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sourcewise.dag import provenance, records
from sourcewise.dag.why import Change, as_json, code_changes, differences, is_digest, pair


class Inquiry:
    """Asks the jobs of one reading of the Snakefile for reasons of their own."""

    def __init__(self, workflow: Any, files: dict[str, list[str]]) -> None:
        self._dag, self._records = workflow.dag, workflow.persistence
        self._declared = workflow.globals["DECLARED"]
        self._sidecars = {stage: provenance.read(stage) for stage in files}
        self._made = {str(file) for job in self._dag.needrun_jobs() for file in job.output}

    def ask(self, stage: str, job: Any) -> list[Change]:
        """What changed for one stale job; nothing where it only follows another."""
        outputs = [str(file) for file in job.output]
        missing = [file for file in outputs if not Path(file).exists()]
        there = [file for file in job.output if str(file) not in missing]
        recorded = next(filter(None, map(self._records.metadata, there or job.output)), None)
        if recorded is None and not there:
            return [Change("job", job.rule.name, "never made")]
        # A file without a record is new in the rules, not lost.
        lost = [str(f) for f in job.output if str(f) in missing and self._records.metadata(f)]
        changes = [Change("file", file, "missing") for file in lost]
        if len(lost) < len(missing):
            changes.append(Change("job", job.rule.name, "never made"))
        changes += [Change("file", file, "cut short") for file in self._incomplete(job)]
        if recorded is None:
            return changes
        if recorded.code == records.UNKNOWN:
            return [*changes, Change("file", outputs[0], "changed by hand, or of another revision")]
        if any(self._records.code_changed(job)):
            changes.append(Change("rule", job.rule.name, "its command changed"))
        changes += self._params(stage, job, recorded)
        changes += self._inputs(job, recorded)
        changes += [Change("file", file, "changed") for file in self._newer(job, recorded)]
        if self._dag.reason(job).forced and not changes:
            changes.append(Change("rule", job.rule.name, "was not finished"))
        return changes

    def _incomplete(self, job: Any) -> list[str]:
        keys = {str(file): str(file) for file in job.output if Path(file).exists()}
        return sorted(self._records._filter_incomplete_keys(keys))

    def _params(self, stage: str, job: Any, recorded: Any) -> Iterator[Change]:
        if recorded.params is None or not self._records.params_changed(job):
            return
        now = provenance.named_params(job)
        before = self._before(stage, job, recorded, now)
        for name, value in now.items():
            old = before.get(name, value)
            if old == value:
                continue
            if name == "content":
                yield from self._contents(job, recorded)
                continue
            if is_digest(value):
                yield from self._code(stage, job, old, value)
                continue
            prefix = self._key(stage, name, value)
            if prefix is None:
                # Made of parameters by a helper of the rules; the stage's own keys say which.
                yield Change("inputs", job.rule.name, f"`{name}` changed")
                continue
            before_, after = as_json(old), as_json(value)
            if prefix == name and isinstance(before_, dict):
                # Which entries of the section concern the job is another key's business.
                shared = before_.keys() & after.keys()
                before_, after = (
                    {k: one[k] for k in one if k in shared} for one in (before_, after)
                )
            yield from differences(before_, after, prefix)

    def _key(self, stage: str, name: str, value: str) -> str | None:
        """The key of a job's parameter: "" for several sections at once, None where it has none."""
        params, content = self._declared.params, as_json(value)
        if (stage, value) in self._declared.keys:
            return str(self._declared.keys[stage, value])
        if not isinstance(content, dict):
            return None
        if isinstance(params.get(name), dict) and content.keys() <= params[name].keys():
            # The part of a section that concerns the job.
            return name
        return "" if content.keys() <= params.keys() else None

    def _contents(self, job: Any, recorded: Any) -> Iterator[Change]:
        """Which raw files hold something else; Snakemake keeps the checksums of small ones only."""
        files, known = list(map(str, job.input)), recorded.input_checksums or {}
        other = [f for f in files if f in known and Path(f).exists() and _sha256(f) != known[f]]
        for file in other or files:
            happened = "content changed" if other or len(files) == 1 else "content may have changed"
            yield Change("file", file, happened)

    def _before(self, stage: str, job: Any, recorded: Any, now: dict[str, str]) -> dict[str, str]:
        trace = self._sidecars[stage].traces.get(str(job.output[0]))
        if trace is not None and trace.record.get("params") == recorded.params:
            return dict(trace.params)
        # Snakemake keeps the `repr` of a text.
        return pair([str(ast.literal_eval(value)) for value in recorded.params], now)

    def _code(self, stage: str, job: Any, before: str, after: str) -> Iterator[Change]:
        old = self._sidecars[stage].code.get(before)
        if old is None:
            yield Change("code", f"of rule {job.rule.name}", "changed")
        else:
            yield from code_changes(old, self._declared.closures[after])

    def _inputs(self, job: Any, recorded: Any) -> Iterator[Change]:
        if recorded.input is None or not any(self._records.input_changed(job)):
            return
        now, before = set(map(str, job.input)), set(recorded.input)
        counts = f"+{len(now - before)} −{len(before - now)} files"
        yield Change("inputs", job.rule.name, counts)

    def _newer(self, job: Any, recorded: Any) -> Iterator[str]:
        """Inputs that no stale job makes, newer than the outputs and of other content."""
        made = [Path(file).stat().st_mtime for file in job.output if Path(file).exists()]
        updated = {str(file) for file in self._dag.reason(job).updated_input}
        for file in map(str, job.input):
            if file in self._made or not made or not Path(file).exists():
                continue
            if file in updated or (
                Path(file).stat().st_mtime > min(made)
                and _sha256(file) != (recorded.input_checksums or {}).get(file)
            ):
                yield file


def _sha256(file: str) -> str:
    with Path(file).open("rb") as content:
        return f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"
