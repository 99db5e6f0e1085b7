"""Perplexity is that of a response given its query, and scored are the attempts that could be selected."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import tiny_qwen
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from sourcewise import scoring, tables
from sourcewise.params.distill import Perplexity as Settings
from sourcewise.stages import perplexity as stage
from sourcewise.tables import Message, Perplexity, Query, Response, Verdict

QUERIES = {
    "a": [Message("user", "1+1?")],
    "b": [Message("user", "first?"), Message("assistant", "one"), Message("user", "second?")],
    "c": [Message("user", "a question that is much longer than the other ones are")],
}
TEXTS = {"a": "2", "b": "<think>it was one, so</think>two", "c": "no"}


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_qwen.build(tmp_path_factory.mktemp("scorer") / "model")


def by_hand(scorer: Path, rendered: str, response: str) -> float:
    """exp(mean NLL) of `response` after `rendered`, one pair alone in the model, from its full logits."""
    tokenizer = AutoTokenizer.from_pretrained(scorer)
    model = AutoModelForCausalLM.from_pretrained(scorer, dtype=torch.float32).eval()
    given = tokenizer(rendered)["input_ids"]
    written = tokenizer(response)["input_ids"]
    likelihood = model(torch.tensor([given + written])).logits[0].log_softmax(-1)
    each = [likelihood[len(given) + i - 1, token].item() for i, token in enumerate(written)]
    return math.exp(-sum(each) / len(each))


def score(
    scorer: Path, names: str, *, max_tokens: int = 512, batch_tokens: int = 4096
) -> list[scoring.Score]:
    pairs = [(QUERIES[name], TEXTS[name]) for name in names]
    limits = {"max_tokens": max_tokens, "batch_tokens": batch_tokens}
    return sorted(scoring.perplexities(pairs, model=scorer, **limits))


def test_perplexity_is_that_of_the_response_and_its_end_of_turn_given_the_query(
    scorer: Path,
) -> None:
    turn = "<|im_start|>{}\n{}<|im_end|>\n".format
    rendered = turn("user", "first?") + turn("assistant", "one") + turn("user", "second?")
    [result] = score(scorer, "b")
    expected = by_hand(scorer, rendered + "<|im_start|>assistant\n", TEXTS["b"] + "<|im_end|>")
    assert result.perplexity == pytest.approx(expected, rel=1e-5)
    # Byte tokens: two tags, the text between and after them, the end of the turn.
    assert result.n_tokens == 2 + len("it was one, so") + len("two") + 1
    assert not result.cut


def test_batching_and_padding_do_not_change_a_perplexity(scorer: Path) -> None:
    together = score(scorer, "abcabc")
    assert [result.pair for result in together] == [0, 1, 2, 3, 4, 5]
    for result, name in zip(together, "abcabc", strict=True):
        [alone] = score(scorer, name, batch_tokens=1)
        assert result.perplexity == pytest.approx(alone.perplexity, rel=1e-4)
        assert result.n_tokens == alone.n_tokens


def test_logits_in_slices_give_the_same_perplexity(
    scorer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [whole] = score(scorer, "b")
    monkeypatch.setattr(scoring, "HEAD_POSITIONS", 3)
    [sliced] = score(scorer, "b")
    assert sliced.perplexity == pytest.approx(whole.perplexity, rel=1e-6)


def test_a_batch_holds_no_more_tokens_than_it_may_padding_included() -> None:
    lengths = [3, 10, 4, 9, 2, 30]
    pieces = [scoring.Piece(n, [0] * length, 1, False) for n, length in enumerate(lengths)]
    made = [[len(piece.tokens) for piece in batch] for batch in scoring.batches(pieces, 20)]
    assert made == [[30], [10, 9], [4, 3, 2]]


@pytest.mark.parametrize(
    ("max_tokens", "n_prompt", "n_response"),
    [(8, 6, 2), (7, 5, 2), (4, 2, 2), (3, 1, 2), (2, 1, 1)],
)
def test_a_long_query_loses_its_beginning_before_the_response_loses_anything(
    max_tokens: int, n_prompt: int, n_response: int
) -> None:
    piece = scoring._fit(0, [1, 2, 3, 4, 5, 6], [7, 8], max_tokens)
    expected = [1, 2, 3, 4, 5, 6][6 - n_prompt :] + [7, 8][:n_response]
    assert (piece.tokens, piece.n_response) == (expected, n_response)
    assert piece.cut == (max_tokens < 8)


def response(query: str, attempt: int, text: str = "2") -> Response:
    return Response(query, attempt, "t", text, "stop", 1, 1, 0, "vllm", "main")


def verdict(query: str, attempt: int, score: float | None) -> Verdict:
    status = "no_answer" if score is None else "scored"
    return Verdict(query, attempt, status, score, "", "math", "1")


def rounds(
    directory: Path, scores: dict[str, list[float | None]]
) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Tables of every round, in which attempt k at a query has its k-th score."""
    last = max((len(attempts) for attempts in scores.values()), default=1)
    said, judged = [], []
    for k in range(1, last + 1):
        present = [query for query, attempts in scores.items() if len(attempts) >= k]
        said.append(directory / f"{k}.responses.parquet")
        judged.append(directory / f"{k}.verdicts.parquet")
        tables.write(said[-1], Response, [response(q, k, TEXTS.get(q, "?")) for q in present])
        tables.write(judged[-1], Verdict, [verdict(q, k, scores[q][k - 1]) for q in present])
    return tuple(said), tuple(judged)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([1.0], [1]),
        ([0.0, 0.0, 1.0], [1, 3]),
        ([0.5, 0.4, 0.5, 0.8], [1, 4]),
        ([0.2, 0.6, 0.9], [1, 2, 3]),
        ([None, 0.0, None, 0.0], [1, 2]),
        ([None, None], [1]),
    ],
)
def test_attempt_one_and_every_record_are_scored(
    tmp_path: Path, scores: list[float | None], expected: list[int]
) -> None:
    assert [r.attempt for r in stage.selectable(*rounds(tmp_path, {"a": scores}))] == expected


def test_whatever_threshold_a_dataset_has_its_attempt_is_scored(tmp_path: Path) -> None:
    scores = [None, 0.3, 0.1, 0.7, 0.7, 0.9]
    scored = {r.attempt for r in stage.selectable(*rounds(tmp_path, {"a": scores}))}
    for threshold in (0.0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9):
        first = next(k for k, s in enumerate(scores, 1) if s is not None and s >= threshold)
        assert first in scored


def run(
    directory: Path, scorer: Path, scores: dict[str, list[float | None]], *, max_tokens: int = 512
) -> Path:
    queries, out = directory / "queries.parquet", directory / "perplexity.parquet"
    known = [Query(q, "s", "math", messages, "{}", "") for q, messages in QUERIES.items()]
    tables.write(queries, Query, known)
    said, judged = rounds(directory, scores)
    settings = Settings(model=str(scorer), revision="main", max_tokens=max_tokens)
    stage.run(queries=queries, responses=said, verdicts=judged, perplexity=settings, out=out)
    return out


def test_rows_follow_the_queries_and_their_attempts(scorer: Path, tmp_path: Path) -> None:
    out = run(tmp_path, scorer, {"c": [0.0, 1.0], "a": [1.0], "b": [None, 0.5, 0.4]})
    rows = list(tables.read(out, Perplexity))
    assert [(row.query_id, row.attempt) for row in rows] == [
        ("a", 1),
        ("b", 1),
        ("b", 2),
        ("c", 1),
        ("c", 2),
    ]
    assert all(row.scorer == str(scorer) for row in rows)
    [alone] = score(scorer, "a")
    assert rows[0].perplexity == pytest.approx(alone.perplexity, rel=1e-4)


def test_the_same_input_gives_the_same_bytes(scorer: Path, tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        written.append(run(tmp_path / name, scorer, {"a": [1.0], "b": [0.0]}).read_bytes())
    assert written[0] == written[1]


def test_no_responses_give_an_empty_table_without_a_model(tmp_path: Path) -> None:
    out = run(tmp_path, Path("no/such/model"), {})
    assert tables.count(out, Perplexity) == 0


def test_texts_that_were_cut_are_counted(
    scorer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, scorer, {"a": [1.0], "c": [1.0]}, max_tokens=40)
    assert "1 of 2 texts are longer than perplexity.max_tokens 40" in capsys.readouterr().err


def test_a_response_without_query_or_verdict_is_an_error(scorer: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"1\.responses\.parquet: x is not in .*queries\.parquet"):
        run(tmp_path, scorer, {"x": [1.0]})
    said, judged = rounds(tmp_path, {"a": [1.0]})
    tables.write(judged[0], Verdict, [])
    with pytest.raises(ValueError, match=r"1\.verdicts\.parquet has no verdict on attempt 1 at a"):
        list(stage.selectable(said, judged))


def test_a_scorer_that_is_not_there_is_named_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"perplexity\.model: no/such/model is not a directory"):
        run(tmp_path, Path("no/such/model"), {"a": [1.0]})
