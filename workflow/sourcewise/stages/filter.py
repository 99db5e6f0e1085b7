"""Stage filter: the training examples of a dataset, and its card.

Reads Selected, the corpus (Query), the rounds (Response, Verdict) and Perplexity of the recipe's
teachers and, where a filter looks for them, every benchmark's items (Query); writes Example, Reject and
card.json.
"""

from __future__ import annotations

import importlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sourcewise import tables
from sourcewise.corpus.decontamination import read_items
from sourcewise.drop import Drop
from sourcewise.filters import lengths
from sourcewise.params.datasets import Dataset, Filter, LengthsFilter
from sourcewise.progress import Progress
from sourcewise.recipes import manifests
from sourcewise.recipes.candidates import Candidate, Candidates, Check
from sourcewise.recipes.card import Tally, Waterfall, contents, summed
from sourcewise.recipes.manifests import Corpus, Distilled
from sourcewise.tables import (
    Example,
    Message,
    Perplexity,
    Query,
    Reject,
    Response,
    Selected,
    TableWriter,
    Verdict,
)

# Teacher, query and attempt.
Key = tuple[str, str, int]


def run(
    *,
    name: str,
    dataset: Dataset,
    filters: dict[str, Filter],
    selected: Path,
    queries: Path,
    teachers: tuple[Path, ...],
    benchmarks: tuple[Path, ...],
    lengths_of: tuple[Path, ...],
    out: Path,
    rejects: Path,
    card: Path,
) -> None:
    """Applies the recipe's filters in their order and writes what they leave, by shard and query_id.

    A filter that must see the dataset as a whole reads what the filters before it left; `lengths_of`
    has the Example table of the dataset whose lengths are matched, if any are. Raises ValueError, with the
    waterfall, where nothing is left.
    """
    tables.spare_pandas()
    corpus = manifests.corpus(queries)
    distilled = {one.teacher: one for one in map(manifests.distilled, teachers)}
    joined = _Joined(corpus, distilled, _by_query(selected))
    for step, spec in filters.items():
        if isinstance(spec, LengthsFilter) and spec.shares == "matched" and lengths_of:
            filters = {**filters, step: lengths.matched(spec, *lengths_of)}
    checks = _prepared(dataset, filters, joined, read_items(benchmarks))
    tallies = {teacher: Tally() for teacher in dataset.teachers}
    dropped: dict[str, Counter[tuple[str, str]]] = {
        teacher: Counter() for teacher in dataset.teachers
    }
    with TableWriter(out, Example) as table, TableWriter(rejects, Reject) as refused:
        for candidate in joined.candidates(f"filter {name}"):
            query, response = candidate.query, candidate.response
            if found := _first_drop(candidate, checks):
                step, drop = found
                dropped[response.teacher][step, drop.reason] += 1
                value = f"{response.teacher}, attempt {response.attempt}: {drop.value}"
                refused.add(Reject(query.query_id, query.source, step, drop.reason, value))
                continue
            example = _example(candidate)
            table.add(example)
            tallies[response.teacher].add(example, query.source)
        waterfalls = {
            teacher: _waterfall(joined, dataset, teacher, dropped[teacher])
            for teacher in dataset.teachers
        }
        if not any(tally.tokens for tally in tallies.values()):
            raise ValueError(
                f"dataset {name}: the filters leave nothing of {summed(waterfalls)}: "
                "loosen the filter that drops most, or correct its limit"
            )
    recipe = dataset.model_dump(mode="json")
    recipe["filters"] = [
        {"name": step, **filters[step].model_dump(mode="json")} for step in dataset.filters
    ]
    filled = contents(name, recipe, tallies, waterfalls, dropped)
    card.write_text(f"{json.dumps(filled, indent=2, ensure_ascii=False)}\n", encoding="utf-8")
    print(f"filter {name}: {' > '.join(f'{step} {n:,}' for step, n in summed(waterfalls))}")


def _prepared(
    dataset: Dataset, filters: dict[str, Filter], joined: _Joined, items: list[Query]
) -> dict[str, Check]:
    """The checks of the recipe's filters; the name of a filter is the name of its module."""
    checks: dict[str, Check] = {}
    for step in dataset.filters:
        module = importlib.import_module(f"sourcewise.filters.{filters[step].filter}")
        checks[step] = module.prepare(filters[step], joined.survivors(checks), items)
    return checks


def _first_drop(candidate: Candidate, checks: dict[str, Check]) -> tuple[str, Drop] | None:
    """The first filter that drops a candidate, and why."""
    for step, check in checks.items():
        if reason := check(candidate):
            return step, reason
    return None


def _example(candidate: Candidate) -> Example:
    query, response = candidate.query, candidate.response
    return Example(
        query_id=query.query_id,
        category=query.category,
        teacher=response.teacher,
        messages=[*query.messages, Message("assistant", response.text)],
        n_tokens=response.n_tokens,
        attempt=response.attempt,
        score=candidate.score,
        perplexity=candidate.perplexity,
    )


@dataclass(frozen=True)
class _Joined:
    """The selected attempts of each query with their texts; a pass holds one shard in memory."""

    corpus: Corpus
    distilled: dict[str, Distilled]
    selected: dict[str, list[Selected]]

    def candidates(self, label: str) -> Iterator[Candidate]:
        """One pass in the order of the shards, and of query_id within each."""
        progress = Progress(label, sum(map(len, self.selected.values())), "responses")
        missing = set(self.selected)
        for shard in self.corpus.shards:
            queries = {
                query.query_id: query
                for query in tables.read(self.corpus.queries(shard), Query)
                if query.query_id in self.selected
            }
            missing -= queries.keys()
            rows = [row for identity in sorted(queries) for row in self.selected[identity]]
            responses, perplexities = self._texts(shard, rows)
            for row in rows:
                key = (row.teacher, row.query_id, row.attempt)
                if key not in responses:
                    raise ValueError(
                        f"selected {', '.join(map(str, key))} has no response: run select again"
                    )
                yield Candidate(
                    queries[row.query_id], responses[key], row.score, perplexities.get(key)
                )
                progress.advance()
        if missing:
            raise ValueError(
                f"{len(missing):,} selected queries are not in the corpus, such as {min(missing)}: "
                "run select again"
            )
        progress.finish()

    def survivors(self, checks: dict[str, Check]) -> Candidates:
        """What the checks so far leave, as often as it is asked for."""
        so_far = dict(checks)
        return lambda: (
            candidate
            for candidate in self.candidates(f"after {' '.join(so_far) or 'select'}")
            if _first_drop(candidate, so_far) is None
        )

    def _texts(
        self, shard: str, rows: list[Selected]
    ) -> tuple[dict[Key, Response], dict[Key, float]]:
        wanted = {(row.teacher, row.query_id, row.attempt) for row in rows}
        responses: dict[Key, Response] = {}
        perplexities: dict[Key, float] = {}
        for teacher, attempt in sorted({(row.teacher, row.attempt) for row in rows}):
            for response in tables.read(
                self.distilled[teacher].responses(attempt, shard), Response
            ):
                key = (teacher, response.query_id, attempt)
                if key in wanted:
                    responses[key] = response
        for teacher in sorted({row.teacher for row in rows}):
            for scored in tables.read(self.distilled[teacher].perplexity(shard), Perplexity):
                perplexities[teacher, scored.query_id, scored.attempt] = scored.perplexity
        return responses, perplexities


def _by_query(selected: Path) -> dict[str, list[Selected]]:
    rows: dict[str, list[Selected]] = {}
    for row in tables.read(selected, Selected):
        rows.setdefault(row.query_id, []).append(row)
    return rows


def _waterfall(
    joined: _Joined, dataset: Dataset, teacher: str, dropped: Counter[tuple[str, str]]
) -> Waterfall:
    """What is left of the corpus after each step, for one teacher."""
    corpus = joined.corpus
    steps = [("corpus", sum(tables.count(corpus.queries(s), Query) for s in corpus.shards))]
    if dataset.min_score is not None:
        steps.append(("verified", _n_verified(joined.distilled[teacher], dataset.min_score)))
    rows = (row for attempts in joined.selected.values() for row in attempts)
    left = sum(row.teacher == teacher for row in rows)
    steps.append(("selected", left))
    for step in dataset.filters:
        left -= sum(n for (by, _), n in dropped.items() if by == step)
        steps.append((step, left))
    return steps


def _n_verified(teacher: Distilled, min_score: float) -> int:
    """How many queries the teacher solved at this score in any attempt."""
    return sum(
        len(
            {
                verdict.query_id
                for attempt in range(1, teacher.attempts + 1)
                for verdict in tables.read(teacher.verdicts(attempt, shard), Verdict)
                if verdict.score is not None and verdict.score >= min_score
            }
        )
        for shard in teacher.shards
    )
