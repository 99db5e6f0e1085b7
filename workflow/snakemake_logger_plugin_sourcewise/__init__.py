"""What a person sees while Snakemake works: a line when a job starts and ends, and how far long jobs are.

Used by `snakemake --logger sourcewise`. Progress is read from the jobs' own logs.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from dataclasses import dataclass
from logging import ERROR, LogRecord
from pathlib import Path

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from sourcewise.progress import duration

# How long each rule took in this working copy: the only honest base of a forecast.
DURATIONS = Path(".snakemake/sourcewise/durations.json")
PROGRESS = re.compile(r"^[\w .-]+: [\d,]+ of [\d,]+ .*$", re.MULTILINE)
EVERY = 15.0
TAIL = 25


@dataclass
class Job:
    """A job on its way; `said` is when it was last spoken of."""

    rule: str
    name: str
    log: list[str]
    start: float
    said: float


class LogHandler(LogHandlerBase):
    """Writes to stderr; one line per event."""

    def __post_init__(self) -> None:
        self._jobs: dict[int, Job] = {}
        self._remaining: dict[str, int] = {}
        self._total = self._done = 0
        self._start = time.monotonic()
        self._seconds: dict[str, list[float]] = _read_durations()
        self._guard = threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def emit(self, record: LogRecord) -> None:
        """Says what an event means to a person; everything else of Snakemake's talk is left out."""
        event = getattr(record, "event", None)
        with self._guard:
            if event == LogEvent.RUN_INFO:
                self._planned(record)
            elif event == LogEvent.JOB_INFO:
                self._started(record)
            elif event == LogEvent.JOB_FINISHED:
                self._finished(getattr(record, "job_id", None))
            elif event == LogEvent.JOB_ERROR:
                self._failed(record)
            elif record.levelno >= ERROR or event == LogEvent.ERROR:
                _say(str(record.msg))
            elif record.msg and "Nothing to be done" in str(record.msg):
                _say("nothing to do: everything is up to date")

    def _planned(self, record: LogRecord) -> None:
        stats = {str(k): int(v) for k, v in getattr(record, "stats", {}).items()}
        total = stats.pop("total", 0)
        if total and not self._total:
            self._total, self._remaining = total, stats
            _say(f"{total} jobs to do{self._forecast()}; logs are in logs/")

    def _started(self, record: LogRecord) -> None:
        rule = str(getattr(record, "rule_name", ""))
        wildcards = dict(getattr(record, "wildcards", None) or {})
        name = " ".join([rule, *(f"{value}" for value in wildcards.values())])
        log = [str(path).split(" ")[0] for path in getattr(record, "log", None) or []]
        now = time.monotonic()
        self._jobs[getattr(record, "jobid", -1)] = Job(rule, name, log, now, now)
        if log:
            _say(f"  start  {name}")

    def _finished(self, jobid: int | None) -> None:
        job = self._jobs.pop(jobid, None) if jobid is not None else None
        if job is None:
            return
        self._done += 1
        self._remaining[job.rule] = self._remaining.get(job.rule, 1) - 1
        if not job.log:
            return
        spent = time.monotonic() - job.start
        self._seconds.setdefault(job.rule, []).append(spent)
        _write_durations(self._seconds)
        _say(f"[{self._done}/{self._total}] {job.name}: {duration(spent)}{self._forecast()}")

    def _failed(self, record: LogRecord) -> None:
        job = self._jobs.pop(getattr(record, "jobid", -1), None)
        name = job.name if job else str(getattr(record, "rule_name", "a job"))
        _say(f"FAILED {name}")
        for path in job.log if job else []:
            lines = (
                Path(path).read_text(errors="replace").splitlines() if Path(path).exists() else []
            )
            print(*lines[-TAIL:], sep="\n", file=sys.stderr)
            _say(f"the whole log: {path}")

    def _forecast(self) -> str:
        """Jobs that are left times what such jobs took, spread over the cores in use."""
        known = {rule: sum(s) / len(s) for rule, s in self._seconds.items() if s}
        left = {rule: n for rule, n in self._remaining.items() if n > 0 and rule != "all"}
        if not left or sum(n for rule, n in left.items() if rule in known) < sum(left.values()) / 2:
            return ""
        mean = sum(known.values()) / len(known)
        cores = max(1, getattr(self.common_settings, "cores", 0) or len(self._jobs) or 2)
        seconds = sum(n * known.get(rule, mean) for rule, n in left.items()) / min(cores, 2)
        return f", about {duration(seconds)} left" if seconds >= 1 else ""

    def _watch(self) -> None:
        while True:
            time.sleep(1)
            with self._guard:
                for job in self._jobs.values():
                    now = time.monotonic()
                    if now - job.said >= EVERY:
                        job.said = now
                        _say(f"         {job.name}: {_progress(job)}")


def _progress(job: Job) -> str:
    for path in job.log:
        if Path(path).exists():
            found = PROGRESS.findall(Path(path).read_text(errors="replace"))
            if found:
                return str(found[-1])
    return f"running for {duration(time.monotonic() - job.start)}"


def _read_durations() -> dict[str, list[float]]:
    try:
        return {rule: [float(mean)] for rule, mean in json.loads(DURATIONS.read_text()).items()}
    except (OSError, ValueError):
        return {}


def _write_durations(seconds: dict[str, list[float]]) -> None:
    DURATIONS.parent.mkdir(parents=True, exist_ok=True)
    means = {rule: round(sum(s) / len(s), 2) for rule, s in sorted(seconds.items()) if s}
    partial = DURATIONS.with_suffix(".partial")
    partial.write_text(json.dumps(means, indent=1))
    partial.replace(DURATIONS)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
