"""The pilot of a forecast: a few queries of each category go through the loop, as the run will send them.

Attempts have the keys, seeds and ledger of the run, which finds them there and does not ask again. Which
queries are looked at is read off their content and a seed: a larger pilot holds the smaller one.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from sourcewise import tables
from sourcewise.commands import environment
from sourcewise.commands.environment import UsageError
from sourcewise.dag import measured
from sourcewise.ledger import Ledger, Record
from sourcewise.params.root import Params
from sourcewise.predicting import Finished
from sourcewise.recipes.manifests import Corpus
from sourcewise.tables import Query, Verdict

# The name of the table is that of the ledger's segment, which has one writer.
SEGMENT = "pilot"
LOGS = Path("logs/forecast")


class Asked(NamedTuple):
    """What a pilot found; the speeds are of all pilots here, None where none asked or judged anything.

    `judging` is in seconds of a processor core, for one response.
    """

    finished: list[Finished]
    tokens_per_second: float | None
    judging: float | None


class Round(NamedTuple):
    """The two tables of an attempt."""

    responses: Path
    verdicts: Path


def sizes(corpus: Corpus) -> dict[str, int]:
    """How many queries of each category a corpus holds."""
    found = Counter(
        category
        for shard in corpus.shards
        for category in measured.categories(str(corpus.queries(shard))).values()
    )
    return dict(sorted(found.items()))


def sample(corpus: Corpus, pilot: int, seed: int) -> list[Query]:
    """At most `pilot` queries of each category, each as likely as any other."""
    places: dict[str, list[tuple[bytes, str]]] = {}
    for shard in corpus.shards:
        for query, category in measured.categories(str(corpus.queries(shard))).items():
            places.setdefault(category, []).append((_draw(seed, query), query))
    chosen = {query for found in places.values() for _, query in heapq.nsmallest(pilot, found)}
    return [
        query
        for shard in corpus.shards
        for query in tables.read(corpus.queries(shard), Query)
        if query.query_id in chosen
    ]


def _draw(seed: int, query: str) -> bytes:
    return hashlib.sha256(f"forecast/{seed}/{query}".encode()).digest()


def ask(name: str, params: Params, queries: list[Query]) -> Asked:
    """Sends the queries through teacher `name`'s loop; raises UsageError where a stage fails.

    The caller holds the lock of the working copy. What was answered stays when this is killed.
    """
    ledger = Path("data/distill", name, "ledger")
    categories = {query.query_id: query.category for query in queries}
    open_queries = len(queries)
    with tempfile.TemporaryDirectory(prefix="sourcewise-forecast-") as folder:
        table = Path(folder, f"{SEGMENT}.parquet")
        tables.write(table, Query, queries)
        rounds: list[Round] = []
        for attempt in range(1, params.distill.max_attempts + 1):
            print(
                f"pilot of {name}: attempt {attempt} of {params.distill.max_attempts} at "
                f"{open_queries:,} queries (log: {LOGS / name}.log)",
                file=sys.stderr,
            )
            before, start = _tokens(ledger), time.monotonic()
            made = _generate(name, params, table, ledger, rounds)
            _measured(name, _tokens(ledger) - before, time.monotonic() - start)
            spent = _processor()
            _verify(name, params, table, made)
            _judged(name, made, _processor() - spent)
            rounds.append(made)
            open_queries = _open(made.verdicts, params.distill.stop_score)
            if not open_queries:
                break
        found = list(finished(categories, rounds, params.distill.stop_score))
    return Asked(found, speed(name), judging(name))


def _measured(name: str, tokens: int, seconds: float) -> None:
    """Notes how long so many tokens took; a round that found all in the ledger says nothing."""
    if tokens:
        with (LOGS / f"{name}.speed.jsonl").open("a", encoding="utf-8") as log:
            print(json.dumps({"tokens": tokens, "seconds": round(seconds, 3)}), file=log)


def speed(name: str) -> float | None:
    """Tokens per second over all pilots of a teacher in this working copy, None without any."""
    rounds = _lines(LOGS / f"{name}.speed.jsonl")
    seconds = sum(one["seconds"] for one in rounds)
    return sum(one["tokens"] for one in rounds) / seconds if seconds else None


def _lines(log: Path) -> list[dict[str, float]]:
    if not log.is_file():
        return []
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def _judged(name: str, made: Round, seconds: float) -> None:
    """Notes what judging a round took, with the start of the stage."""
    responses = len(measured.scores(str(made.verdicts)))
    if responses:
        with (LOGS / f"{name}.judging.jsonl").open("a", encoding="utf-8") as log:
            print(json.dumps({"responses": responses, "seconds": round(seconds, 3)}), file=log)


def _processor() -> float:
    """Seconds of processor that ended child processes took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def judging(name: str) -> float | None:
    """Seconds of a core for one response over all pilots of a teacher here, None without any."""
    rounds = _lines(LOGS / f"{name}.judging.jsonl")
    responses = sum(one["responses"] for one in rounds)
    return sum(one["seconds"] for one in rounds) / responses if responses else None


def _tokens(ledger: Path) -> int:
    """The tokens of the completions that pilots asked for."""
    if not ledger.is_dir():
        return 0
    return sum(
        one.n_tokens
        for path, one in Ledger(ledger).scan()
        if path.stem == SEGMENT and isinstance(one, Record)
    )


def _generate(name: str, params: Params, table: Path, ledger: Path, rounds: list[Round]) -> Round:
    attempt = len(rounds) + 1
    made = Round(
        table.with_name(f"{attempt}.responses.parquet"),
        table.with_name(f"{attempt}.verdicts.parquet"),
    )
    teacher = params.teachers[name].model_dump_json(by_alias=True)
    stop_score = params.distill.stop_score if rounds else None
    verdicts = [str(rounds[-1].verdicts)] if rounds else []
    arguments = ["--name", name, "--teacher", teacher, "--seed", str(params.seed)]
    arguments += ["--attempt", str(attempt), "--stop-score", json.dumps(stop_score)]
    arguments += ["--futility", "null", "--queries", str(table), "--verdicts", *verdicts]
    arguments += ["--ledger", str(ledger), "--out", str(made.responses)]
    _stage("model", "generate", arguments, name)
    return made


def _verify(name: str, params: Params, table: Path, made: Round) -> None:
    verifiers = params.verifiers.model_dump_json(by_alias=True)
    arguments = ["--queries", str(table), "--responses", str(made.responses)]
    arguments += ["--verifiers", verifiers, "--out", str(made.verdicts)]
    _stage("verify", "verify", arguments, name)


def _stage(place: str, stage: str, arguments: list[str], teacher: str) -> None:
    log = LOGS / f"{teacher}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [str(environment.python(place)), "-m", "sourcewise", stage, *arguments]
    with log.open("ab") as said:
        start = said.tell()
        code = subprocess.run(
            command, stdout=said, stderr=subprocess.STDOUT, env=environment.variables(), check=False
        ).returncode
    if code:
        words = log.read_bytes()[start:].decode(errors="replace").strip().splitlines()
        raise UsageError(
            f"pilot of {teacher}: {stage} stopped: {words[-1] if words else f'status {code}'}; "
            f"mend it and run again, what was answered stays ({log})"
        )


def _open(verdicts: Path, stop_score: float) -> int:
    """How many queries of a round the next one asks."""
    return sum(
        (one.score is None or one.score < stop_score) and one.status != "prompt_too_long"
        for one in tables.read(verdicts, Verdict)
    )


def finished(
    categories: Mapping[str, str], rounds: list[Round], stop_score: float
) -> Iterator[Finished]:
    """The queries of some rounds, which are all of their loop, with what their attempts took."""
    attempts, completion, prompt = Counter[str](), Counter[str](), Counter[str]()
    scored, kept = Counter[str](), dict[str, int]()
    best: dict[str, float] = {}
    for made in rounds:
        # Columns alone: the texts of a whole run would take hours to read.
        table = measured.column(str(made.responses), "query_id", "n_tokens", "n_prompt_tokens")
        scores = measured.scores(str(made.verdicts))
        for query, out, into in zip(*table.values(), strict=True):
            attempts[query] += 1
            completion[query] += out
            prompt[query] += into
            score = scores.get(query)
            # As the stage perplexity chooses: the first, and each that scores above all before it.
            if attempts[query] == 1 or (score is not None and score > best.get(query, -1.0)):
                scored[query] += out + into
            if score is not None:
                best[query] = max(score, best.get(query, -1.0))
                if score >= stop_score:
                    kept.setdefault(query, out + into)
    for query, n in attempts.items():
        yield Finished(
            categories[query],
            n,
            query in kept,
            completion[query],
            prompt[query],
            scored[query],
            kept.get(query, 0),
        )


def from_tables(name: str, params: Params, corpus: Corpus) -> list[Finished]:
    """The queries of the shards whose rounds a run has all finished."""
    found: list[Finished] = []
    for shard in corpus.shards:
        folders = [
            Path("data/distill", name, f"round-{attempt}")
            for attempt in range(1, params.distill.max_attempts + 1)
        ]
        rounds = [
            Round(folder / f"{shard}.responses.parquet", folder / f"{shard}.verdicts.parquet")
            for folder in folders
        ]
        if all(path.is_file() for made in rounds for path in made):
            categories = measured.categories(str(corpus.queries(shard)))
            found += finished(categories, rounds, params.distill.stop_score)
    return found
