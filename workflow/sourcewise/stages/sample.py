"""n samples of a student at every question of the graded benchmarks, in one engine start.

Reads a Query table per benchmark (`…/{benchmark}/queries.parquet`) and writes a Response table per
benchmark (`{benchmark}.samples.parquet`), attempt = sample 1..n.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from sourcewise.asking import Question, ask, request, responses, weights_of
from sourcewise.engines.contract import Batch, Request
from sourcewise.ledger import identity
from sourcewise.params.queries import Benchmark
from sourcewise.params.students import BenchmarkSampling
from sourcewise.tables import Message, Query, Response, read, write


def run(
    *,
    name: str,
    model: Path,
    sampling: BenchmarkSampling,
    benchmarks: dict[str, Benchmark],
    seed: int,
    queries: tuple[Path, ...],
    ledger: Path,
    out: Path,
) -> None:
    """Samples student `name`, whose model lies in directory `model`, into directory `out`."""
    weights = weights_of(str(model), "trained here", engine=sampling.engine)
    wanted: dict[str, list[Question]] = {}
    for path in queries:
        benchmark = path.parent.name
        if benchmark not in benchmarks:
            raise ValueError(f"{path}: {benchmark!r} is not one of {sorted(benchmarks)}")
        wanted[benchmark] = list(questions(path, benchmarks[benchmark], weights, sampling, seed))

    def complete(module: ModuleType, missing: Sequence[Request]) -> Iterator[Batch]:
        print(f"starting {sampling.engine} with {model}", file=sys.stderr, flush=True)
        yield from module.complete(
            missing,
            model=str(model),
            revision="main",
            sampling=sampling.sampling,
            system=sampling.system,
        )

    found = ask(
        [sample.asked for samples in wanted.values() for sample in samples],
        engine=sampling.engine,
        run=complete,
        revision=weights,
        ledger=ledger,
        writer="samples",
        label=f"sample {name}",
    )
    for benchmark, samples in wanted.items():
        rows = responses(samples, found, teacher=name, wrap=str)
        write(out / f"{benchmark}.samples.parquet", Response, rows)


def questions(
    path: Path, benchmark: Benchmark, weights: str, sampling: BenchmarkSampling, seed: int
) -> Iterator[Question]:
    """What a student is asked of one benchmark, whose queries lie in `path`."""
    max_tokens = benchmark.max_tokens or sampling.sampling.max_tokens
    drawn = sampling.sampling.model_copy(update={"max_tokens": max_tokens})
    identified = identity(weights=weights, system=sampling.system, sampling=drawn.model_dump())
    # Some public benchmarks hold a question twice: it is asked once, or it would weigh double.
    for query in {query.query_id: query for query in read(path, Query)}.values():
        messages = _with_suffix(query.messages, benchmark.suffix)
        for sample in range(1, benchmark.samples + 1):
            asked = request(identified, messages, attempt=sample, seed=seed, max_tokens=max_tokens)
            yield Question(query.query_id, asked)


def _with_suffix(messages: list[Message], suffix: str) -> list[Message]:
    """The turns with the benchmark's instruction at the end of the last user turn."""
    if not suffix:
        return messages
    last = max(place for place, turn in enumerate(messages) if turn.role == "user")
    changed = Message("user", messages[last].content + suffix)
    return [*messages[:last], changed, *messages[last + 1 :]]
