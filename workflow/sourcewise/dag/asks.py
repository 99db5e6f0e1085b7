"""How many answers of models a run would ask for, before it runs.

Exact where everything that decides is on the disk: queries, verdicts of the round before, the ledger.
Where a stale job will decide first, a query counts with the probability that was measured.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sourcewise.asking import weights_of
from sourcewise.dag import measured
from sourcewise.dag.calls import (
    QUERIES,
    READINGS,
    REMADE,
    SHARE,
    SOURCES,
    UNMEASURED,
    VERDICTS,
    Calls,
    Open,
    Reading,
)
from sourcewise.futility import futile
from sourcewise.grading import judge
from sourcewise.ledger import SUFFIX, Ledger, attempt_key, attempt_seed
from sourcewise.params.distill import Futility, Teacher, Verifiers
from sourcewise.params.judge import Judge
from sourcewise.params.queries import Benchmark
from sourcewise.params.students import BenchmarkSampling
from sourcewise.stages.generate import identity_of, weights_of_teacher
from sourcewise.stages.sample import questions

Answered = frozenset[tuple[str, int]]


class Asks:
    """The model calls of the stale jobs; `by_job` has those of each single one."""

    def __init__(self, reading: Reading, room: Mapping[str, int | None]) -> None:
        """`room` is the most queries that a shard can hold, None where that is not known."""
        self._reading, self._room = reading, room
        self.by_job: dict[Any, float] = {}
        self._judged = Calls("", "judge")
        self._scored = Calls("scorer", "perplexity")

    def all(self) -> list[Calls]:
        """One entry per teacher and student that would be asked, for the scorer and for the judge."""
        stale = self._reading.stale
        asking = ("generate", "verify", "perplexity")
        jobs = [job for rule in asking for job in self._reading.of_rule(rule) if job in stale]
        found = [self._teacher(name) for name in sorted({job.wildcards.teacher for job in jobs})]
        found += [self._student(job) for job in self._reading.of_rule("sample") if job in stale]
        found += [self._scored, self._judged]
        rules = {job.rule.name for job in jobs}
        return [
            calls
            for calls in found
            if (calls.role != "judge" or calls.calls)
            and (calls.role != "perplexity" or "perplexity" in rules)
            and (calls.role not in ("teacher", "import") or "generate" in rules)
        ]

    def _teacher(self, name: str) -> Calls:
        reading = self._reading
        jobs = [job for job in reading.of_rule("generate") if job.wildcards.teacher == name]
        teacher = Teacher.model_validate_json(jobs[0].params.teacher)
        calls = Calls(name, "import" if teacher.imported else "teacher")
        answered = self._answered(teacher, [job for job in jobs if job in reading.stale], calls)
        for shard in sorted({job.wildcards.shard for job in jobs}):
            rounds = [job for job in jobs if job.wildcards.shard == shard]
            self._walk(sorted(rounds, key=_attempt), answered, calls)
        if teacher.imported is not None:
            # Rows of a file: no model is called.
            return Calls(name, "import", found=calls.found)
        most = teacher.sampling.max_tokens if teacher.sampling else 0
        tables = (f"distill/{name}/round-*/*.responses.parquet", "distill/*/*/*.responses.parquet")
        calls.lengthen(measured.mean_tokens(*tables), most)
        return calls

    def _answered(self, teacher: Teacher, stale: list[Any], calls: Calls) -> Answered:
        """The (query, attempt) pairs of stale jobs that the ledger holds."""
        if not stale or not any(Path(stale[0].params.ledger).glob(f"*{SUFFIX}")):
            return frozenset()
        if not all(map(self._reading.sure, _files(stale[0].input.model))):
            calls.expect(REMADE, at_most=True)
            return frozenset()
        identity = identity_of(teacher, weights_of_teacher(teacher))
        keys = {}
        for job in stale:
            attempt, seed = _attempt(job), int(job.params.seed)
            path = str(job.input.queries)
            for query in measured.categories(path) if Path(path).exists() else ():
                drawn = attempt_seed(seed, query, attempt)
                keys[attempt_key(identity, query, attempt, drawn)] = (query, attempt)
        return frozenset(keys[key] for key in Ledger(Path(stale[0].params.ledger)).get(keys))

    def _walk(self, rounds: Sequence[Any], answered: Answered, calls: Calls) -> None:
        """Goes through the rounds of one shard and counts what its stale jobs would ask."""
        reading, place = self._reading, dict(rounds[0].wildcards.items())
        del place["attempt"]
        asked = self._first(str(rounds[0].input.queries), place["shard"])
        if asked is None:
            calls.unknown()
            self._scored.unknown()
            return
        scored = sum(asked.queries.values())
        for generating, following in itertools.zip_longest(rounds, rounds[1:]):
            verifying = reading.job("verify", dict(generating.wildcards.items()))
            if generating in reading.stale:
                attempt = _attempt(generating)
                new = {q: p for q, p in asked.queries.items() if (q, attempt) not in answered}
                self.by_job[generating] = sum(new.values())
                calls.add(self.by_job[generating])
                calls.found += len(asked.queries) - len(new)
                if not asked.sure:
                    calls.expect(asked.reason, at_most=asked.at_most)
            if verifying in reading.stale:
                self._judge(verifying, asked)
            asked = self._left(generating, verifying, following, asked, answered)
            if generating is not rounds[0]:
                scored += asked.accepted
        scoring = reading.job("perplexity", place)
        if scoring in reading.stale:
            scorers = json.loads(scoring.params.perplexity)
            n_scorers = len(scorers) if isinstance(scorers, list) else 1
            tables = [str(path) for path in scoring.input.verdicts]
            if all(map(reading.sure, tables)):
                self._scored.add(n_scorers * measured.selectable(tables))
            else:
                self._scored.add(n_scorers * scored)
                self._scored.expect(asked.reason, at_most=asked.at_most)

    def _first(self, queries: str, shard: str) -> Open | None:
        """All queries of a shard; where it is still to be made, as many as its sources can give."""
        if Path(queries).exists():
            found = dict.fromkeys(measured.categories(queries), 1.0)
            return Open(found, self._reading.sure(queries), QUERIES)
        n = self._room[shard]
        # Stand-ins, which no table and no ledger knows.
        stand_ins = {f"{queries}:{i}": 1.0 for i in range(n or 0)}
        return None if n is None else Open(stand_ins, False, SOURCES, at_most=True)

    def _left(
        self, generating: Any, verifying: Any, following: Any, asked: Open, answered: Answered
    ) -> Open:
        """The queries that a round leaves open, by the verdicts that will stand after the run."""
        reading, attempt = self._reading, _attempt(generating)
        stop = float(following.params.stop_score) if following else 1.0
        known = self._known(verifying, following, asked)
        if verifying not in reading.stale:
            left = {q: 1.0 for q, score in known.items() if score is None or score < stop}
            accepted = len(known) - len(left)
            for query in self._given_up(verifying, following, left.keys()):
                left.pop(query, None)
            return replace(asked, queries=left, accepted=accepted)
        rate = measured.acceptance(generating.wildcards.teacher, attempt, stop)
        # Verdicts stand when neither the verifier nor the response changes.
        result = Open({}, asked.sure, asked.reason, asked.at_most)
        if verifying in reading.changed:
            result.doubt(VERDICTS)
        # Nor is it known whether the loop will give a category up.
        result.at_most |= following is not None and following.params.futility != "null"
        for query, probability in asked.queries.items():
            if query in known and (generating not in reading.stale or (query, attempt) in answered):
                share = float(known[query] is None or (known[query] or 0.0) < stop)
                result.accepted += probability * (1.0 - share)
            elif rate is None:
                # Nothing was ever judged: every query may stay open, and every response be accepted.
                result.doubt(UNMEASURED)
                result.at_most, share = True, 1.0
                result.accepted += probability
            else:
                result.doubt(SHARE)
                share = 1.0 - rate
                result.accepted += probability * rate
            if probability * share > 0:
                result.queries[query] = probability * share
        return result

    def _given_up(self, verifying: Any, following: Any, left: Collection[str]) -> set[str]:
        """The queries that stay open and are not asked again: too long, or of a hopeless category."""
        path = str(verifying.output.verdicts)
        if following is None or not Path(path).exists():
            return set()
        gone = measured.too_long(path)
        if following.params.futility != "null":
            rule = Futility.model_validate_json(following.params.futility)
            categories = measured.categories(str(verifying.input.queries))
            judged = [(categories[query], query not in left) for query in measured.scores(path)]
            hopeless = futile(judged, rule)
            gone |= {query for query in left if categories[query] in hopeless}
        return gone

    def _known(self, verifying: Any, following: Any, asked: Open) -> Mapping[str, float | None]:
        """The scores of a round; where they are lost, whom the next round asked tells them apart."""
        path = str(verifying.output.verdicts)
        if Path(path).exists():
            return measured.scores(path)
        changed = self._reading.changed
        if following is None or following in changed or verifying in changed:
            return {}
        next_round = str(following.output.responses)
        if not Path(next_round).exists():
            return {}
        again = set(measured.column(next_round, "query_id")["query_id"])
        return {query: None if query in again else 1.0 for query in asked.queries}

    def _judge(self, verifying: Any, asked: Open) -> None:
        """Counts what a model would judge; it reads each response twice."""
        verifiers = Verifiers.model_validate_json(verifying.params.verifiers)
        by_model = {c for c in ("science", "dialogue") if isinstance(getattr(verifiers, c), Judge)}
        path = str(verifying.input.queries)
        if by_model and judge.address() is not None and Path(path).exists():
            kinds = measured.categories(path)
            n = 2 * sum(p for q, p in asked.queries.items() if kinds.get(q) in by_model)
            self._judged.add(n)
            self._judged.expect(READINGS, at_most=True)
            self._judged.lengthen(None, judge.MAX_REPLY_TOKENS)

    def _student(self, job: Any) -> Calls:
        reading, calls = self._reading, Calls(job.wildcards.student, "student")
        sampling = BenchmarkSampling.model_validate_json(job.params.sampling)
        sections = json.loads(job.params.benchmarks)
        benchmarks = {n: Benchmark.model_validate_json(json.dumps(s)) for n, s in sections.items()}
        ledger = Path(job.params.ledger)
        made = reading.sure(str(job.input.model))
        if not made and any(ledger.glob(f"*{SUFFIX}")):
            calls.expect(REMADE, at_most=True)
        weights = (
            weights_of(job.params.model, "trained here", engine=sampling.engine) if made else ""
        )
        keys: set[str] = set()
        for path in map(Path, job.input.queries):
            benchmark = benchmarks[path.parent.name]
            if path.exists():
                asked = questions(path, benchmark, weights, sampling, int(job.params.seed))
                keys.update(question.asked.key for question in asked)
                if not reading.sure(str(path)):
                    calls.expect(QUERIES)
            elif (n := measured.size(benchmark.queries)) is not None:
                calls.add(n * benchmark.samples)
                calls.expect(SOURCES, at_most=True)
            else:
                calls.unknown()
        calls.found = len(Ledger(ledger).get(keys)) if made else 0
        calls.add(len(keys) - calls.found)
        if calls.calls is not None:
            self.by_job[job] = calls.calls
        most = max(b.max_tokens or sampling.sampling.max_tokens for b in benchmarks.values())
        tables = (f"benchmarks/{calls.model}/*.samples.parquet", "benchmarks/*/*.samples.parquet")
        calls.lengthen(measured.mean_tokens(*tables), most)
        return calls


def _files(given: Any) -> list[str]:
    """The paths of a named input, which is a text where the rule names one file."""
    return [given] if isinstance(given, str) else [str(file) for file in given]


def _attempt(generating: Any) -> int:
    return int(generating.wildcards.attempt)
