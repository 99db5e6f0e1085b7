"""filter: each filter's reasons, the order they act in, the examples and the card."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from sourcewise import tables
from sourcewise.corpus.tokens import words
from sourcewise.filters import budget, lengths, ngram, perplexity, structure
from sourcewise.params.datasets import (
    BudgetFilter,
    Dataset,
    Filter,
    LengthsFilter,
    NgramFilter,
    PerplexityFilter,
    StructureFilter,
)
from sourcewise.recipes.candidates import Candidate, Candidates, Check
from sourcewise.recipes.drawing import rank
from sourcewise.stages import filter as stage
from sourcewise.tables import (
    Example,
    Message,
    Perplexity,
    Query,
    Reject,
    Response,
    Selected,
    Verdict,
)
from sourcewise.text import query_id, shard_ids, units

GOOD = "<think>1 + 1 = 2</think><answer>2</answer>"
SHARDS = ("0000", "0001")


def _query(text: str = "What is 1 + 1?", roles: str = "u", category: str = "math") -> Query:
    names = {"s": "system", "u": "user", "a": "assistant"}
    turns = [Message(names[role], f"{text} {n}") for n, role in enumerate(roles)]
    return Query(query_id(turns), "source", category, turns, "", "MIT")


def _response(query: Query, text: str = GOOD, teacher: str = "a", n_tokens: int = 10) -> Response:
    return Response(query.query_id, 1, teacher, text, "stop", n_tokens, 5, 1, "vllm", "main")


def _candidate(
    text: str = GOOD,
    *,
    roles: str = "u",
    teacher: str = "a",
    n_tokens: int = 10,
    ppl: float | None = 2.0,
) -> Candidate:
    query = _query(roles=roles)
    return Candidate(query, _response(query, text, teacher, n_tokens), 1.0, ppl)


def _all(*candidates: Candidate) -> Candidates:
    def again() -> Iterator[Candidate]:
        return iter(candidates)

    return again


STRUCTURE = StructureFilter(
    filter="structure", require_reasoning=True, max_tokens=100, max_repeats=3
)


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (_candidate(), ""),
        (_candidate("\n<think>\nx\n</think>\n\n<answer>\n2\n</answer>\n"), ""),
        (_candidate(roles="uau"), ""),
        (_candidate(roles="suau"), ""),
        (_candidate(roles="ua"), "turns"),
        (_candidate(roles="uu"), "turns"),
        (_candidate(roles="us"), "turns"),
        (_candidate(roles="au"), "turns"),
        (_candidate("<answer>2</answer>"), "missing_tag"),
        (_candidate("<think>x</think>2"), "missing_tag"),
        (_candidate("<think>x</think><answer>2"), "missing_tag"),
        (_candidate("x</think><answer>2</answer>"), "missing_tag"),
        (_candidate("<think>x</think><think>y</think><answer>2</answer>"), "repeated_tag"),
        (_candidate("<think>x</think><answer>2</answer><answer>3</answer>"), "repeated_tag"),
        (_candidate("<answer>2</answer><think>x</think>"), "tag_order"),
        (_candidate("</think><think>x<answer>2</answer>"), "tag_order"),
        (_candidate("<think>x<answer>2</answer></think>"), "tag_order"),
        (_candidate("<think>x</think></answer><answer>2"), "tag_order"),
        (_candidate("So: <think>x</think><answer>2</answer>"), "text_outside"),
        (_candidate("<think>x</think> so <answer>2</answer>"), "text_outside"),
        (_candidate("<think>x</think><answer>2</answer> Done."), "text_outside"),
        (_candidate("<think> \n</think><answer>2</answer>"), "empty_reasoning"),
        (_candidate("<think>x</think><answer> </answer>"), "empty_answer"),
        (_candidate(n_tokens=100), ""),
        (_candidate(n_tokens=101), "too_long"),
    ],
)
def test_structure_demands_one_reasoning_one_answer_and_turns_that_alternate(
    candidate: Candidate, reason: str
) -> None:
    dropped = structure.prepare(STRUCTURE, _all(), ())(candidate)
    assert (dropped.reason if dropped else "") == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<answer>2</answer>", ""),
        ("<think></think><answer>2</answer>", ""),
        (GOOD, ""),
        ("<think><answer>2</answer>", "tag_order"),
        ("<answer></answer>", "empty_answer"),
        ("2", "missing_tag"),
    ],
)
def test_reasoning_may_be_optional_but_not_half(text: str, reason: str) -> None:
    check = structure.prepare(STRUCTURE.model_copy(update={"require_reasoning": False}), _all(), ())
    dropped = check(_candidate(text))
    assert (dropped.reason if dropped else "") == reason


PHRASE = "wait, let me check that again from the start. "


@pytest.mark.parametrize(
    ("reasoning", "looped"),
    [
        (PHRASE * 4, True),
        (f"First I add. {PHRASE * 4} So it is 2.", True),
        (PHRASE * 3, False),
        (" ".join(f"{PHRASE} {n}" for n in range(9)), False),
        ("0 " * 90, False),
        ("-" * 90, False),
        ("| - " * 40, False),
        ("1 + 1 = 2. " * 3, False),
    ],
)
def test_a_phrase_that_repeats_itself_is_a_loop_and_a_row_of_signs_is_none(
    reasoning: str, looped: bool
) -> None:
    check = structure.prepare(STRUCTURE, _all(), ())
    dropped = check(_candidate(f"<think>{reasoning}</think><answer>2</answer>"))
    assert (dropped is not None) == looped
    if dropped:
        assert dropped.reason == "loop"
        assert dropped.value.startswith("4 x ")


PPL = PerplexityFilter(filter="perplexity", max=5.0, per_teacher={"b": 2.0})


@pytest.mark.parametrize(
    ("teacher", "ppl", "kept"),
    [
        ("a", 5.0, True),
        ("a", 5.01, False),
        ("b", 2.0, True),
        ("b", 2.5, False),
        ("a", float("nan"), False),
        ("a", float("inf"), False),
    ],
)
def test_perplexity_has_a_limit_and_one_of_its_own_for_a_teacher(
    teacher: str, ppl: float, kept: bool
) -> None:
    dropped = perplexity.prepare(PPL, _all(), ())(_candidate(teacher=teacher, ppl=ppl))
    assert (dropped is None) == kept
    if dropped:
        assert dropped.reason == "above_max"


def test_a_missing_perplexity_is_an_error_and_no_pass() -> None:
    with pytest.raises(ValueError, match="has no perplexity: run the stage perplexity"):
        perplexity.prepare(PPL, _all(), ())(_candidate(ppl=None))


def _ngrams(n: int, max_count: int, *texts: str) -> list[str]:
    spec = NgramFilter(filter="ngram", n=n, max_count=max_count)
    candidates = [_candidate(text) for text in texts]
    check = ngram.prepare(spec, _all(*candidates), ())
    return [text for text, c in zip(texts, candidates, strict=True) if check(c) is not None]


def _of_lengths(*n_tokens: int, teacher: str = "a", first: int = 0) -> list[Candidate]:
    """A response of so many tokens to a query of its own each."""
    made = []
    for number, n in enumerate(n_tokens, start=first):
        query = _query(f"Question {number}")
        made.append(Candidate(query, _response(query, GOOD, teacher, n), 1.0, float(n)))
    return made


def _kept(check: Check, candidates: list[Candidate]) -> list[Candidate]:
    return [candidate for candidate in candidates if check(candidate) is None]


def test_at_a_quantile_each_teacher_loses_the_same_share() -> None:
    spec = PerplexityFilter(filter="perplexity", quantile=0.75)
    candidates = [*_of_lengths(1, 2, 3, 4), *_of_lengths(10, 20, 30, 40, teacher="b", first=4)]
    kept = _kept(perplexity.prepare(spec, _all(*candidates), ()), candidates)
    assert [one.perplexity for one in kept] == [1, 2, 3, 10, 20, 30]
    both = PerplexityFilter(filter="perplexity", quantile=0.75, max=20)
    kept = _kept(perplexity.prepare(both, _all(*candidates), ()), candidates)
    assert [one.perplexity for one in kept] == [1, 2, 3, 10, 20]


def test_a_perplexity_that_is_no_number_goes_at_a_quantile_too() -> None:
    spec = PerplexityFilter(filter="perplexity", quantile=0.5)
    candidates = [_candidate(ppl=value) for value in (1.0, float("nan"))]
    assert _kept(perplexity.prepare(spec, _all(*candidates), ()), candidates) == candidates[:1]


@given(
    st.lists(st.integers(0, 9), min_size=3, max_size=60),
    st.lists(st.sampled_from([0.0, 1.0, 1.5, 4.0]), min_size=3, max_size=3).filter(any) | st.none(),
    st.integers(0, 3),
)
def test_lengths_are_spread_as_asked_for_and_no_more_is_dropped_than_that_takes(
    extra: list[int], shares: list[float] | None, seed: int
) -> None:
    edges = (2, 5, 7)
    candidates = _of_lengths(2, 5, 7, *extra)
    spec = LengthsFilter(
        filter="lengths", edges=edges, shares=None if shares is None else tuple(shares), seed=seed
    )
    kept = _kept(lengths.prepare(spec, _all(*candidates), ()), candidates)
    spans = [(0, 2), (3, 5), (6, 7)]
    had, left = (
        [sum(a <= one.response.n_tokens <= b for one in some) for a, b in spans]
        for some in (candidates, kept)
    )
    weights = np.array(shares or [1.0, 1.0, 1.0]) / sum(shares or [1.0, 1.0, 1.0])
    total = min(n / w for n, w in zip(had, weights, strict=True) if w)
    assert left == [int(total * w + 1e-9) for w in weights]
    assert len(kept) == sum(left)


def test_a_span_that_nothing_fills_is_named() -> None:
    spec = LengthsFilter(filter="lengths", edges=(2, 5, 9), shares=None, seed=1)
    with pytest.raises(ValueError, match=r"no response has 3 to 5 tokens.*'edges' or 'shares'"):
        lengths.prepare(spec, _all(*_of_lengths(1, 7)), ())


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(1, 50), st.integers(1, 200))
def test_a_budget_is_kept_and_used_up(sizes: list[int], rows: int, tokens: int) -> None:
    candidates = _of_lengths(*sizes)
    spec = BudgetFilter(filter="budget", rows=rows, tokens=tokens, seed=3)
    kept = _kept(budget.prepare(spec, _all(*candidates), ()), candidates)
    used = sum(one.response.n_tokens for one in kept)
    assert len(kept) <= rows
    assert used <= tokens
    if len(kept) < min(rows, len(candidates)):
        left = [one for one in candidates if one not in kept]
        following = min(left, key=lambda one: rank(one.query.query_id, 3))
        assert used + following.response.n_tokens > tokens


def test_budgets_of_one_seed_draw_the_same_queries() -> None:
    spec = BudgetFilter(filter="budget", rows=5, tokens=None, seed=3)
    drawn = []
    for teacher in "ab":
        candidates = _of_lengths(*range(20), teacher=teacher)
        kept = _kept(budget.prepare(spec, _all(*candidates), ()), candidates)
        drawn.append([one.query.query_id for one in kept])
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 5


@pytest.mark.parametrize(
    ("given_keys", "message"),
    [
        ({"filter": "perplexity"}, "'max', 'quantile' or both"),
        ({"filter": "lengths", "edges": (5, 2), "shares": None, "seed": 1}, "must ascend"),
        ({"filter": "lengths", "edges": (2, 5), "shares": (1.0,), "seed": 1}, "1 'shares' for 2"),
        ({"filter": "lengths", "edges": (2,), "shares": (0.0,), "seed": 1}, "all 0"),
        ({"filter": "budget", "rows": None, "tokens": None, "seed": 1}, "'rows', 'tokens' or both"),
    ],
)
def test_a_filter_without_sense_is_refused(given_keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TypeAdapter(Filter).validate_python(given_keys)


def test_an_ngram_seen_more_often_than_allowed_drops_every_response_that_holds_it() -> None:
    texts = ["x a b c", "a b c y", "A b, c.", "c b a", "a b"]
    assert _ngrams(3, 3, *texts) == []
    assert _ngrams(3, 2, *texts) == ["x a b c", "a b c y", "A b, c."]


def test_occurrences_within_one_response_count() -> None:
    assert _ngrams(2, 2, "a b a b a b", "a b", "c d") == ["a b a b a b", "a b"]
    assert _ngrams(2, 4, "a b a b a b", "a b") == []


def test_tags_are_no_part_of_an_ngram() -> None:
    assert _ngrams(3, 1, GOOD.replace("1 + 1 =", ""), "<think>3</think><answer>2</answer>") == []
    assert _ngrams(2, 1, "<think>so 2</think>", "<answer>so</answer> 2") != []


def test_signs_are_no_part_of_an_ngram() -> None:
    assert _ngrams(3, 1, "a\n--------------\nb", "c\n--------------\nd", "-" * 90) == []


def test_a_response_shorter_than_the_ngram_stays() -> None:
    assert _ngrams(20, 1, "a b", "a b", "") == []


def test_the_frequent_ngram_and_its_count_are_kept() -> None:
    spec = NgramFilter(filter="ngram", n=3, max_count=1)
    twice = _candidate("So $x$: 1,000 \\cdot 2.5 = y"), _candidate("1000 2.5 y")
    assert ngram.prepare(spec, _all(*twice), ())(twice[0]) == ("frequent", "2 x 1000 2.5 y")


WORD = st.sampled_from(["a", "B", "1,000", "2.5", "\u4f60\u597d", "\u2019", "\\frac", "+"])


@given(
    st.lists(st.lists(WORD, max_size=9).map(" ".join), max_size=8),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_counts_are_exact(texts: list[str], n: int, max_count: int) -> None:
    def grams(text: str) -> list[tuple[str, ...]]:
        tokens = words(text)
        return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]

    counts = Counter(gram for text in texts for gram in grams(text))
    expected = [text for text in texts if any(counts[g] > max_count for g in grams(text))]
    assert _ngrams(n, max_count, *texts) == expected


@pytest.mark.parametrize(
    "limits",
    [
        {"FEWEST": 4, "MOST": 4},
        {"FEWEST": 2, "MOST": 1 << 16},
        {"FEWEST": 2, "MOST": 1 << 16, "BATCH": 1, "PENDING": 1},
    ],
    ids=["slots are shared", "slots grow", "batches are small"],
)
def test_how_it_is_counted_does_not_change_the_counts(
    limits: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["a b c"] * 2 + [f"{n} {n + 1} {n + 2}" for n in range(60)] + ["a b c"]
    for name, value in limits.items():
        monkeypatch.setattr(ngram, name, value)
    assert _ngrams(3, 2, *texts) == ["a b c"] * 3
    assert _ngrams(3, 3, *texts) == []
    assert _ngrams(1, 255, *["x"] * 256) == ["x"] * 256
    assert _ngrams(1, 256, *["x"] * 256) == []


Row = tuple[str, str, str, float | None]


def _filter(
    folder: Path,
    rows: list[Row],
    filters: dict[str, Any],
    teachers: tuple[str, ...] = ("a",),
    benchmarks: tuple[Path, ...] = (),
    lengths_of: tuple[Path, ...] = (),
) -> tuple[list[Example], list[Reject], dict[str, Any]]:
    """Runs the stage over (question, teacher, response, perplexity), each selected at attempt 1."""
    queries = {question: _query(question) for question, *_ in rows}
    chosen = [Selected(queries[q].query_id, teacher, 1, 1.0) for q, teacher, *_ in rows]
    place = {name: number for number, name in enumerate(teachers)}
    chosen.sort(key=lambda row: (row.query_id, place[row.teacher]))
    tables.write(folder / "selected.parquet", Selected, chosen)
    for number, shard in enumerate(SHARDS):
        first, end = shard_ids(number, len(SHARDS))
        own = [q for q in queries.values() if first <= q.query_id < end]
        tables.write(folder / f"corpus/{shard}.parquet", Query, own)
        for teacher in teachers:
            mine = [row for row in rows if row[1] == teacher and queries[row[0]] in own]
            _round(folder / teacher, shard, queries, mine)
    (folder / "manifest.json").write_text(json.dumps({"shards": SHARDS}))
    for teacher in teachers:
        content = {"teacher": teacher, "attempts": 1, "shards": SHARDS}
        (folder / teacher / "manifest.json").write_text(json.dumps(content))
    stage.run(
        name="mix",
        dataset=Dataset(
            teachers=teachers,
            min_score=0.9,
            solved_by=(),
            lengths_of=None,
            filters=tuple(filters),
            max_examples=None,
            seed=1,
        ),
        filters=TypeAdapter(dict[str, Filter]).validate_python(filters),
        selected=folder / "selected.parquet",
        queries=folder / "manifest.json",
        teachers=tuple(folder / teacher / "manifest.json" for teacher in teachers),
        benchmarks=benchmarks,
        lengths_of=lengths_of,
        out=folder / "examples.parquet",
        rejects=folder / "rejects.parquet",
        card=folder / "card.json",
    )
    return (
        list(tables.read(folder / "examples.parquet", Example)),
        list(tables.read(folder / "rejects.parquet", Reject)),
        json.loads((folder / "card.json").read_text(encoding="utf-8")),
    )


def _round(folder: Path, shard: str, queries: dict[str, Query], rows: list[Row]) -> None:
    responses, verdicts, perplexities = [], [], []
    for question, teacher, text, ppl in rows:
        query = queries[question]
        responses.append(_response(query, text, teacher, n_tokens=len(units(text))))
        verdicts.append(Verdict(query.query_id, 1, "scored", 1.0, "", "math", "1"))
        if ppl is not None:
            perplexities.append(Perplexity(query.query_id, 1, "scorer", ppl, 5))
    tables.write(folder / f"round-1/{shard}.responses.parquet", Response, responses)
    tables.write(folder / f"round-1/{shard}.verdicts.parquet", Verdict, verdicts)
    tables.write(folder / f"perplexity/{shard}.parquet", Perplexity, perplexities)


SPECS: dict[str, dict[str, Any]] = {
    "structure": {
        "filter": "structure",
        "require_reasoning": True,
        "max_tokens": 99,
        "max_repeats": None,
    },
    "ngram": {"filter": "ngram", "n": 3, "max_count": 2},
    "perplexity": {"filter": "perplexity", "max": 5.0},
}


def _text(words: str) -> str:
    return f"<think>{words}</think><answer>2</answer>"


def test_an_example_is_the_query_and_the_response_in_the_order_of_query_id(tmp_path: Path) -> None:
    rows: list[Row] = [(f"q{n}", "a", _text(f"it is {n}"), 2.0) for n in range(9)]
    examples, rejects, _ = _filter(tmp_path, rows, {})
    assert rejects == []
    assert [example.query_id for example in examples] == sorted(e.query_id for e in examples)
    assert len(examples) == 9
    for example in examples:
        question, answer = example.messages
        assert answer == Message("assistant", _text(f"it is {question.content[1]}"))
        assert (example.score, example.perplexity, example.attempt) == (1.0, 2.0, 1)


def test_a_filter_sees_only_what_the_filters_before_it_left(tmp_path: Path) -> None:
    rows: list[Row] = [
        ("q1", "a", _text("one two three four five"), 9.0),
        ("q2", "a", _text("so one two three four five"), 2.0),
        ("q3", "a", _text("then one two three four five"), 2.0),
        ("q4", "a", _text("six"), 2.0),
    ]
    phrase, likely = {"ngram": SPECS["ngram"] | {"n": 5}}, {"perplexity": SPECS["perplexity"]}
    frequent, rejects, _ = _filter(tmp_path, rows, phrase | likely)
    assert (len(frequent), [r.by for r in rejects]) == (1, ["ngram"] * 3)
    examples, rejects, card = _filter(tmp_path, rows, likely | phrase)
    assert (len(examples), [r.by for r in rejects]) == (3, ["perplexity"])
    steps = [["corpus", 4], ["verified", 4], ["selected", 4], ["perplexity", 3], ["ngram", 3]]
    assert card["waterfall"] == steps


def test_a_card_says_which_filter_dropped_what_and_why(tmp_path: Path) -> None:
    rows: list[Row] = [
        ("q1", "a", _text("one two three"), 9.0),
        ("q2", "a", "four", 2.0),
        ("q3", "b", _text("five"), 8.0),
        ("q4", "b", _text("six"), 2.0),
    ]
    _, _, card = _filter(
        tmp_path,
        rows,
        {"likely": SPECS["perplexity"], "whole": SPECS["structure"]},
        teachers=("a", "b"),
    )
    assert card["recipe"]["filters"][0]["max"] == 5.0
    assert card["removed"] == [["likely", "above_max", 2], ["whole", "missing_tag", 1]]
    assert card["teachers"]["b"]["removed"] == [["likely", "above_max", 1]]


def test_matched_lengths_are_those_of_the_other_dataset(tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    short, long = "one", "one two three four five six seven"
    edges = tuple(len(units(_text(words))) for words in (short, long))
    sizes = [edges[0]] * 30 + [edges[1]] * 10 + [99] * 7
    examples = [
        Example(f"{n:03}", "math", "b", [Message("user", "q")], size, 1, 1.0, None)
        for n, size in enumerate(sizes)
    ]
    tables.write(other, Example, examples)
    texts = [_text(short)] * 12 + [_text(long)] * 12
    rows: list[Row] = [(f"q{n}", "a", text, None) for n, text in enumerate(texts)]
    spec = {"filter": "lengths", "edges": edges, "shares": "matched", "seed": 3}
    with pytest.raises(ValueError, match="no dataset is named: set 'lengths_of'"):
        _filter(tmp_path, rows, {"matched": spec})
    kept, rejects, _ = _filter(tmp_path, rows, {"matched": spec}, lengths_of=(other,))
    counts = Counter(example.n_tokens for example in kept)
    assert counts == {edges[0]: 12, edges[1]: 4}
    assert {reject.reason for reject in rejects} == {"not_drawn"}
    tables.write(other, Example, examples[-7:])
    with pytest.raises(ValueError, match="has no example of at most"):
        _filter(tmp_path, rows, {"matched": spec}, lengths_of=(other,))


def test_a_recited_benchmark_item_is_counted_and_its_evidence_kept(tmp_path: Path) -> None:
    item = _query(
        "A train goes 270 miles in 3 hours; at this rate, how many hours do 180 more take?"
    )
    tables.write(tmp_path / "benchmark.parquet", Query, [item])
    rows: list[Row] = [
        ("q1", "a", _text(f"Like this: {item.messages[0].content}"), 2.0),
        ("q2", "a", _text("fine"), 2.0),
    ]
    filters = {"recited": {"filter": "benchmark_text", "n": 13, "share": 0.6}}
    benchmarks = (tmp_path / "benchmark.parquet",)
    examples, rejects, card = _filter(tmp_path, rows, filters, benchmarks=benchmarks)
    [reject] = rejects
    assert (len(examples), reject.by, reject.reason) == (1, "recited", "exact")
    where = f"a, attempt 1: source/{item.query_id} 1.000: "
    assert reject.value.startswith(where + item.messages[0].content)
    assert card["waterfall"][-2:] == [["selected", 2], ["recited", 1]]


def test_a_benchmark_without_items_is_an_error(tmp_path: Path) -> None:
    tables.write(tmp_path / "benchmark.parquet", Query, [])
    filters = {"recited": {"filter": "benchmark_text", "n": 13, "share": 0.6}}
    with pytest.raises(ValueError, match=r"benchmark\.parquet holds no items to look for"):
        _filter(
            tmp_path,
            [("q1", "a", GOOD, 2.0)],
            filters,
            benchmarks=(tmp_path / "benchmark.parquet",),
        )


def test_a_dataset_of_which_nothing_stays_is_an_error_with_the_waterfall(tmp_path: Path) -> None:
    rows: list[Row] = [("q1", "a", GOOD, 9.0)]
    with pytest.raises(ValueError, match=r"nothing of .*\('selected', 1\), \('likely', 0\)"):
        _filter(tmp_path, rows, {"likely": SPECS["perplexity"]})
    assert not (tmp_path / "examples.parquet").exists()


def test_every_row_is_an_example_or_a_reject_with_its_filter_and_teacher(tmp_path: Path) -> None:
    rows: list[Row] = [
        ("q1", "a", _text("fine"), 2.0),
        ("q1", "b", _text("fine too"), 2.0),
        ("q2", "a", "no tags", 2.0),
        ("q3", "b", _text("unlikely"), 7.5),
    ]
    filters = {"shape": SPECS["structure"], "likely": SPECS["perplexity"]}
    examples, rejects, card = _filter(tmp_path, rows, filters, teachers=("b", "a"))
    assert [example.teacher for example in examples] == ["b", "a"]
    assert sorted((r.by, r.reason, r.value) for r in rejects) == [
        ("likely", "above_max", "b, attempt 1: 7.5000 > 5"),
        ("shape", "missing_tag", "a, attempt 1: 0 x <think>"),
    ]
    assert card["examples"] == 2
    assert card["waterfall"][-1] == ["likely", 2]
    steps = [["corpus", 3], ["verified", 2], ["selected", 2], ["shape", 1], ["likely", 1]]
    assert card["teachers"]["a"]["waterfall"] == steps


def test_the_card_counts_what_the_dataset_holds(tmp_path: Path) -> None:
    rows: list[Row] = [(f"q{n}", "a", _text("x " * n), float(n)) for n in range(1, 5)]
    examples, _, card = _filter(tmp_path, rows, {})
    total = sum(example.n_tokens for example in examples)
    assert card["tokens"]["total"] == total
    assert card["tokens"]["mean"] == total / 4
    assert (card["categories"], card["sources"]) == ({"math": 4}, {"source": 4})
    assert card["attempts"] == {"1": 4}
    assert card["perplexity"]["quantiles"]["0.5"] == 2.5
    assert card["scores"] == {
        "unscored": 0,
        "n": 4,
        "mean": 1.0,
        "quantiles": dict.fromkeys(("0", "0.05", "0.25", "0.5", "0.75", "0.95", "1"), 1.0),
    }


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    rows: list[Row] = [(f"q{n}", "a", _text(f"it is {n}"), 2.0 + n) for n in range(9)]
    written = []
    for _ in range(2):
        _filter(tmp_path, rows, SPECS | {"ngram": SPECS["ngram"] | {"max_count": 9}})
        names = ("examples.parquet", "rejects.parquet", "card.json")
        written.append([(tmp_path / name).read_bytes() for name in names])
    assert written[0] == written[1]


def test_a_selection_without_its_response_is_an_error(tmp_path: Path) -> None:
    rows: list[Row] = [("q1", "a", GOOD, 2.0)]
    _filter(tmp_path, rows, {})
    stranger = Selected(_query("q1").query_id, "a", 2, 1.0)
    tables.write(tmp_path / "selected.parquet", Selected, [stranger])
    tables.write(tmp_path / "a/round-2/0000.responses.parquet", Response, [])
    tables.write(tmp_path / "a/round-2/0001.responses.parquet", Response, [])
    with pytest.raises(ValueError, match="has no response: run select again"):
        stage.run(
            name="mix",
            dataset=Dataset(
                teachers=("a",),
                min_score=0.9,
                solved_by=(),
                lengths_of=None,
                filters=(),
                max_examples=None,
                seed=1,
            ),
            filters={},
            selected=tmp_path / "selected.parquet",
            queries=tmp_path / "manifest.json",
            teachers=(tmp_path / "a/manifest.json",),
            benchmarks=(),
            lengths_of=(),
            out=tmp_path / "examples.parquet",
            rejects=tmp_path / "rejects.parquet",
            card=tmp_path / "card.json",
        )
