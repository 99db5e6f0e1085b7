"""Perplexity is that of a response given its query, and scored are the attempts that could be selected."""

from __future__ import annotations

import json
import math
import re
import signal
import subprocess
import sys
from itertools import chain
from pathlib import Path
from types import ModuleType

import pytest
import tiny_qwen
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from sourcewise import scored, tables
from sourcewise.asking import weights_of
from sourcewise.params.distill import Scorer, Scorers
from sourcewise.scoring import pieces, transformers, vllm
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


def by_hand(scorer: Path, rendered: str, response: str, attention: str | None = None) -> float:
    """exp(mean NLL) of `response` after `rendered`, one pair alone in the model, from its full logits."""
    tokenizer = AutoTokenizer.from_pretrained(scorer)
    model = AutoModelForCausalLM.from_pretrained(
        scorer, dtype=torch.float32, attn_implementation=attention
    ).eval()
    given = tokenizer(rendered)["input_ids"]
    written = tokenizer(response)["input_ids"]
    likelihood = model(torch.tensor([given + written])).logits[0].log_softmax(-1)
    each = [likelihood[len(given) + i - 1, token].item() for i, token in enumerate(written)]
    return math.exp(-sum(each) / len(each))


def score(
    scorer: Path,
    names: str,
    *,
    max_tokens: int = 512,
    batch_tokens: int = 4096,
    engine: ModuleType = transformers,
    texts: dict[str, str] = TEXTS,
) -> list[pieces.Score]:
    pairs = [(QUERIES[name], texts[name]) for name in names]
    cut = list(pieces.pieces(pieces.tokenizer_of(scorer), pairs, max_tokens))
    longest = max(len(piece.tokens) for piece in cut)
    return sorted(chain(*engine.scores(pieces.batches(cut, batch_tokens), scorer, longest)))


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


def test_capped_attention_stays_capped(tmp_path: Path) -> None:
    base = tiny_qwen.capped(tmp_path / "scorer")
    rendered = "<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n"
    capped, uncapped = (by_hand(base, rendered, "2<|im_end|>", how) for how in ("eager", "sdpa"))
    assert abs(capped / uncapped - 1) > 1e-3
    assert score(base, "a")[0].perplexity == pytest.approx(capped, rel=1e-5)


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
    monkeypatch.setattr(transformers, "HEAD_POSITIONS", 3)
    [sliced] = score(scorer, "b")
    assert sliced.perplexity == pytest.approx(whole.perplexity, rel=1e-6)


def test_a_batch_holds_no_more_tokens_than_it_may_padding_included() -> None:
    lengths = [3, 10, 4, 9, 2, 30]
    cut = [pieces.fit(n, [0] * (length - 1), [0], 99) for n, length in enumerate(lengths)]
    made = [[len(piece.tokens) for piece in batch] for batch in pieces.batches(cut, 20)]
    assert made == [[30], [10, 9], [4, 3, 2]]


@pytest.mark.parametrize(
    ("max_tokens", "n_prompt", "n_response"),
    [(8, 6, 2), (7, 5, 2), (4, 2, 2), (3, 1, 2), (2, 1, 1)],
)
def test_a_long_query_loses_its_beginning_before_the_response_loses_anything(
    max_tokens: int, n_prompt: int, n_response: int
) -> None:
    piece = pieces.fit(0, [1, 2, 3, 4, 5, 6], [7, 8], max_tokens)
    expected = [1, 2, 3, 4, 5, 6][6 - n_prompt :] + [7, 8][:n_response]
    assert (piece.tokens.tolist(), piece.n_response) == (expected, n_response)
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
    directory: Path,
    scorer: Path,
    scores: dict[str, list[float | None]],
    *,
    max_tokens: int = 512,
    others: Scorers | None = None,
) -> Path:
    queries, out = directory / "queries.parquet", directory / "perplexity.parquet"
    known = [Query(q, "s", "math", messages, "{}", "") for q, messages in QUERIES.items()]
    tables.write(queries, Query, known)
    said, judged = rounds(directory, scores)
    scorers = others or Scorer(model=str(scorer), revision="main", max_tokens=max_tokens)
    stage.run(
        queries=queries,
        responses=said,
        verdicts=judged,
        perplexity=scorers,
        ledger=directory / "ledger",
        out=out,
    )
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


def test_vllm_agrees_with_transformers(tmp_path: Path) -> None:
    # vLLM's attention on CPUs takes heads of 32 numbers and more.
    model = tiny_qwen.build(tmp_path / "model", hidden_size=64)
    texts = {**TEXTS, "a": "", "c": "so on and on " * 60}
    limits = {"max_tokens": 400, "batch_tokens": 500, "texts": texts}
    ours, theirs = (score(model, "abcab", engine=one, **limits) for one in (transformers, vllm))
    assert [one.cut for one in ours] == [False, False, True, False, False]
    for one, other in zip(ours, theirs, strict=True):
        assert (one.pair, one.n_tokens, one.cut) == (other.pair, other.n_tokens, other.cut)
        assert one.perplexity == pytest.approx(other.perplexity, rel=1e-3)


def test_of_an_empty_response_the_end_of_its_turn_is_scored(scorer: Path) -> None:
    [result] = score(scorer, "a", texts={"a": ""})
    rendered = "<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n"
    assert result.n_tokens == 1
    assert result.perplexity == pytest.approx(by_hand(scorer, rendered, "<|im_end|>"), rel=1e-5)


def test_what_a_tokenizer_cannot_spell_is_not_scored(tmp_path: Path) -> None:
    model = tiny_qwen.build(tmp_path / "model")
    file = model / "tokenizer.json"
    spelled = json.loads(file.read_text())
    # The bytes of an e with an accent; the tokenizer has no token for what is unknown.
    for byte in "\u00c3\u00a9":
        del spelled["model"]["vocab"][byte]
    file.write_text(json.dumps(spelled))
    texts = ("n\u00e9", "n", "\u00e9\u00e9", "")
    left, plain, nothing, empty = (score(model, "a", texts={"a": text})[0] for text in texts)
    assert (left.perplexity, left.n_tokens) == (plain.perplexity, 2)
    assert (nothing.perplexity, nothing.n_tokens) == (empty.perplexity, 1)


@pytest.mark.parametrize("engine", [transformers, vllm])
def test_a_token_that_the_model_lacks_is_an_error(tmp_path: Path, engine: ModuleType) -> None:
    model = tiny_qwen.build(tmp_path / "model", hidden_size=64)
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.add_tokens(["surprise"])
    tokenizer.save_pretrained(model)
    with pytest.raises(ValueError, match=r"writes token 261, its model knows 261 tokens"):
        score(model, "a", texts={"a": "a surprise"}, engine=engine)


def test_a_text_beyond_the_positions_of_the_scorer_is_an_error(
    scorer: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        ValueError, match=r"a text has 1,0\d\d tokens, .* reads 512 .*lower max_tok"
    ):
        score(scorer, "a", max_tokens=2000, texts={"a": "x" * 1000})


def test_a_text_without_any_likelihood_is_infinitely_perplexing() -> None:
    piece = pieces.fit(0, [1], [2, 3], 9)
    assert pieces.score(piece, 1e6).perplexity == math.inf
    assert math.isnan(pieces.score(piece, math.nan).perplexity)


def said_of(capsys: pytest.CaptureFixture[str]) -> tuple[int, int]:
    """How many responses the last run had to score, and how many it found."""
    found = re.search(r"([\d,]+) of ([\d,]+) responses to be scored", capsys.readouterr().err)
    assert found is not None
    missing, every = (int(number.replace(",", "")) for number in found.groups())
    return missing, every - missing


def test_a_further_round_scores_only_what_is_new_and_ends_with_the_same_bytes(
    scorer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, both = {"a": [0.0], "b": [0.5], "c": [0.0]}, {"a": [0.0, 1.0], "b": [0.5], "c": [0, 1.0]}
    (tmp_path / "grown").mkdir()
    (tmp_path / "whole").mkdir()
    run(tmp_path / "grown", scorer, first)
    assert said_of(capsys) == (3, 0)
    grown = run(tmp_path / "grown", scorer, both)
    assert said_of(capsys) == (2, 3)
    whole = run(tmp_path / "whole", scorer, both)
    assert said_of(capsys) == (5, 0)
    assert grown.read_bytes() == whole.read_bytes()


def test_scored_again_is_what_depends_on_what_changed_and_without_a_model_if_nothing_does(
    scorer: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores: dict[str, list[float | None]] = {"a": [1.0], "b": [1.0]}
    before = run(tmp_path, scorer, scores).read_bytes()
    said_of(capsys)
    assert run(tmp_path, scorer, scores).read_bytes() == before
    assert said_of(capsys) == (0, 2)
    # Another text under the same attempt, another limit, other weights.
    with monkeypatch.context() as other:
        other.setitem(TEXTS, "a", "3")
        run(tmp_path, scorer, scores)
    assert said_of(capsys) == (1, 1)
    run(tmp_path, scorer, scores, max_tokens=300)
    assert said_of(capsys) == (2, 0)
    run(tmp_path, tiny_qwen.build(tmp_path / "other", tied=True), scores)
    assert said_of(capsys) == (2, 0)


def test_a_row_for_each_scorer_the_first_first(scorer: Path, tmp_path: Path) -> None:
    neutral = tiny_qwen.build(tmp_path / "neutral", tied=True)
    both = tuple(Scorer(model=str(one), revision="-", max_tokens=99) for one in (scorer, neutral))
    out = run(tmp_path, scorer, {"b": [1.0], "a": [1.0]}, others=both)
    rows = list(tables.read(out, Perplexity))
    assert [(row.query_id, Path(row.scorer)) for row in rows] == [
        *(("a", scorer), ("a", neutral), ("b", scorer), ("b", neutral))
    ]
    [alone] = score(neutral, "b")
    assert rows[3].perplexity == pytest.approx(alone.perplexity, rel=1e-4)
    assert rows[2].perplexity != pytest.approx(rows[3].perplexity, rel=1e-2)


# A job that is killed as soon as anything stands in the records; it writes there after each batch.
KILLED = """
import os, signal, sys, threading, time
from pathlib import Path
from sourcewise.__main__ import main
from sourcewise.stages import perplexity

def watch(path):
    while not path.exists() or not path.stat().st_size:
        time.sleep(0.0005)
    os.kill(os.getpid(), signal.SIGKILL)

threading.Thread(target=watch, args=(Path(sys.argv[1]),), daemon=True).start()
perplexity.SECONDS_HELD = 0
main(["perplexity", *sys.argv[2:]])
"""


def test_a_job_killed_with_kill_9_goes_on_where_it_was_and_ends_with_the_same_bytes(
    scorer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    n = 80
    tables.write(
        tmp_path / "queries.parquet",
        Query,
        [Query(f"{i:032x}", "s", "math", QUERIES["a"], "{}", "") for i in range(n)],
    )
    texts = [f"{i} " + "and so on " * (i % 40) for i in range(n)]
    rows = [response(f"{i:032x}", 1, text) for i, text in enumerate(texts)]
    tables.write(tmp_path / "1.responses.parquet", Response, rows)
    tables.write(
        tmp_path / "1.verdicts.parquet",
        Verdict,
        [verdict(f"{i:032x}", 1, 1.0) for i in range(n)],
    )

    settings = Scorer(model=str(scorer), revision="main", max_tokens=512)
    tables_of = {name: tmp_path / f"1.{name}.parquet" for name in ("responses", "verdicts")}

    def go_on(name: str) -> bytes:
        out = tmp_path / f"{name}.parquet"
        stage.run(
            queries=tmp_path / "queries.parquet",
            responses=(tables_of["responses"],),
            verdicts=(tables_of["verdicts"],),
            perplexity=settings,
            ledger=tmp_path / name,
            out=out,
        )
        return out.read_bytes()

    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed/queries.scores")]
    command += ["--queries", str(tmp_path / "queries.parquet")]
    command += [f"--{name}={path}" for name, path in tables_of.items()]
    command += ["--perplexity", settings.model_dump_json(), "--ledger", str(tmp_path / "killed")]
    command += ["--out", str(tmp_path / "killed.parquet")]

    def records() -> int:
        keys = [key(f"{i:032x}", text) for i, text in enumerate(texts)]
        return len(scored.known(tmp_path / "killed", keys))

    def key(query_id: str, text: str) -> bytes:
        weights = weights_of(str(scorer), "main", engine="transformers")
        return scored.key(weights=weights, max_tokens=512, query_id=query_id, attempt=1, text=text)

    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    done = records()
    assert 0 < done < n
    assert not (tmp_path / "killed.parquet").exists()
    with (tmp_path / "killed/queries.scores").open("ab") as torn:
        torn.write(b"\xabSW1\x07\x00")
    capsys.readouterr()
    killed = go_on("killed")
    told = capsys.readouterr().err
    assert f"{n - done:,} of {n:,} responses to be scored" in told
    assert "a batch cut short by a crash was dropped (6 bytes at the end)" in told
    assert killed == go_on("undisturbed")


def test_a_damaged_record_is_scored_again(
    scorer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = run(tmp_path, scorer, {"a": [1.0], "b": [1.0]}).read_bytes()
    said_of(capsys)
    [records] = (tmp_path / "ledger").glob("*.scores")
    content = bytearray(records.read_bytes())
    content[-3] ^= 1
    records.write_bytes(content)
    assert run(tmp_path, scorer, {"a": [1.0], "b": [1.0]}).read_bytes() == before
    assert said_of(capsys) == (2, 0)


def test_an_engine_that_does_not_exist_is_named(
    scorer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCEWISE_SCORING", "vlm")
    with pytest.raises(
        ValueError, match="SOURCEWISE_SCORING is 'vlm': set it to transformers or vl"
    ):
        run(tmp_path, scorer, {"a": [1.0]})
