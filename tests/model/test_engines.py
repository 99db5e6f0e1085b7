"""Engines that run a model here: a request's text depends on that request only, and nothing crashes them."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import sys
from collections import Counter
from pathlib import Path

import pytest
import tiny_qwen
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from sourcewise.engines import transformers as own_loop
from sourcewise.engines.contract import Completion, Request, turns
from sourcewise.params.base import Sampling
from sourcewise.params.distill import Teacher, Wrap
from sourcewise.params.queries import Benchmark
from sourcewise.params.students import BenchmarkSampling
from sourcewise.stages import generate, sample
from sourcewise.tables import Message, Query, Response, read, write
from sourcewise.text import query_id

HOT = Sampling(temperature=1.0, top_p=0.95, max_tokens=40)
GREEDY = Sampling(temperature=0.0, top_p=1.0, max_tokens=40)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # vLLM's attention on CPUs takes heads of 32 numbers and more.
    return tiny_qwen.build(tmp_path_factory.mktemp("engines") / "model", hidden_size=64)


def request(number: int, text: str | None = None, max_tokens: int = 40) -> Request:
    # Long enough for 100 of them not to fit into one prefill of vLLM's default size.
    content = text or f"{number} " + "and so on " * (number % 37)
    return Request(f"k{number}", f"q{number}", 1, [Message("user", content)], number, max_tokens)


def answers(
    engine: str, model: Path, requests: list[Request], sampling: Sampling, system: str | None = None
) -> dict[str, Completion]:
    module = importlib.import_module(f"sourcewise.engines.{engine}")
    batches = module.complete(
        requests, model=str(model), revision="main", sampling=sampling, system=system
    )
    got = [(one.key, completion) for batch in batches for one, completion in batch]
    assert len({key for key, _ in got}) == len(got)
    return dict(got)


REQUESTS = [
    *map(request, range(100)),
    # The same request again under another key, far from the first in every batch.
    *(dataclasses.replace(request(number), key=f"again {number}") for number in range(0, 100, 9)),
    dataclasses.replace(request(5), key="other seed", seed=12345),
    request(200, "too long " * 80),
    request(201, "short", max_tokens=3),
]


@pytest.fixture(scope="module", params=["transformers", "vllm"])
def many(request: pytest.FixtureRequest, model: Path) -> tuple[str, dict[str, Completion]]:
    return request.param, answers(request.param, model, REQUESTS, HOT)


def test_every_request_is_answered_once_within_its_limit(
    many: tuple[str, dict[str, Completion]],
) -> None:
    _, got = many
    assert got.keys() == {one.key for one in REQUESTS}
    reasons = Counter(one.finish_reason for one in got.values())
    assert reasons.keys() == {"stop", "length", "prompt_too_long"}
    limits = {one.key: one.max_tokens for one in REQUESTS}
    for key, one in got.items():
        assert one.n_tokens <= limits[key]
        assert (one.finish_reason != "length") or one.n_tokens == limits[key]
    assert got["k201"].n_tokens <= 3


def test_a_prompt_that_does_not_fit_is_an_outcome_and_no_crash(
    many: tuple[str, dict[str, Completion]],
) -> None:
    one = many[1]["k200"]
    assert (one.text, one.finish_reason, one.n_tokens) == ("", "prompt_too_long", 0)
    assert one.n_prompt_tokens > 512


def test_the_text_depends_on_the_seed_and_not_on_the_place_in_the_batch(
    many: tuple[str, dict[str, Completion]],
) -> None:
    _, got = many
    for number in range(0, 100, 9):
        assert got[f"again {number}"] == got[f"k{number}"]
    assert got["other seed"].text != got["k5"].text
    assert len({got[f"k{number}"].text for number in range(100)}) > 95


def test_tags_stay_in_the_text_and_ends_do_not(many: tuple[str, dict[str, Completion]]) -> None:
    texts = [one.text for one in many[1].values()]
    assert any("<think>" in text for text in texts)
    assert any("</think>" in text for text in texts)
    assert not any("<|" in text for text in texts)


def test_a_request_alone_gets_the_text_it_gets_among_others(
    many: tuple[str, dict[str, Completion]], model: Path
) -> None:
    engine, got = many
    for number in (3, 36):
        assert answers(engine, model, [request(number)], HOT) == {f"k{number}": got[f"k{number}"]}


def test_the_size_of_a_batch_decides_nothing(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = answers("transformers", model, REQUESTS, HOT)
    monkeypatch.setenv("SOURCEWISE_BATCH_SIZE", "7")
    assert answers("transformers", model, REQUESTS, HOT) == expected


@pytest.mark.parametrize("attention", [None, "eager"])
def test_greedy_texts_are_those_of_the_library(
    model: Path, attention: str | None, tmp_path: Path
) -> None:
    """Those of the one attention that honours a cap, where the model has one."""
    if attention:
        model = tiny_qwen.capped(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(model)
    network = AutoModelForCausalLM.from_pretrained(model, attn_implementation=attention).eval()
    ends = [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|im_end|>")]
    requests = [request(number) for number in range(12)]
    got = answers("transformers", model, requests, GREEDY, system="be brief")
    for one in requests:
        rendered = tokenizer.apply_chat_template(
            turns(one.messages, "be brief"), add_generation_prompt=True, return_tensors="pt"
        )
        ids = network.generate(
            **rendered, do_sample=False, max_new_tokens=40, eos_token_id=ends, pad_token_id=0
        )[0, rendered["input_ids"].shape[1] :]
        assert got[one.key].text == tokenizer.decode(ids, skip_special_tokens=True)
        assert (got[one.key].n_tokens, got[one.key].n_prompt_tokens) == (
            len(ids),
            rendered["input_ids"].shape[1],
        )


def test_tokens_are_drawn_with_their_probability_from_the_smallest_set_that_holds_top_p() -> None:
    probability = torch.tensor([0.1, 0.4, 0.05, 0.3, 0.15])
    uniform = [(i + 0.5) / 10_000 for i in range(10_000)]
    logits = (probability.log() * 2).expand(10_000, 5)
    for top_p, kept in ((1.0, [0, 1, 2, 3, 4]), (0.75, [1, 3, 4]), (0.6, [1, 3]), (0.1, [1])):
        sampling = Sampling(temperature=2.0, top_p=top_p, max_tokens=1)
        drawn = Counter(own_loop._pick(logits, uniform, sampling).tolist())
        total = sum(probability[token].item() for token in kept)
        for token in range(5):
            share = probability[token].item() / total if token in kept else 0
            assert drawn[token] == pytest.approx(10_000 * share, abs=2), (top_p, token)


@pytest.mark.skipif(torch.cuda.is_available(), reason="the CPU build is not in use")
def test_the_cpu_environment_holds_none_of_the_packages_that_break_vllm() -> None:
    # torchvision's wheel for GPUs stops `import vllm` with "operator torchvision::nms does not exist".
    broken = ("torchvision", "torchaudio", "torchcodec")
    assert [name for name in broken if importlib.util.find_spec(name)] == []


def queries(path: Path, *texts: str) -> Path:
    rows = []
    for text in texts:
        messages = [Message("user", text)]
        rows.append(Query(query_id(messages), "here", "math", messages, "{}", "MIT"))
    write(path, Query, rows)
    return path


def test_a_teacher_is_asked_once_and_again_when_it_was_retrained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tiny_qwen.build(tmp_path / "model")

    def run() -> list[Response]:
        generate.run(
            name="tiny",
            teacher=Teacher(
                revision="local",
                wrap=Wrap(rule="none"),
                engine="transformers",
                model=str(model),
                sampling=HOT,
            ),
            seed=7,
            attempt=1,
            stop_score=None,
            futility=None,
            queries=queries(tmp_path / "0000.parquet", "1+1?", "2+2?"),
            verdicts=(),
            ledger=tmp_path / "ledger",
            out=tmp_path / "responses.parquet",
        )
        return list(read(tmp_path / "responses.parquet", Response))

    first = run()
    assert "asked 2, from the ledger 0, of 2 wanted" in capsys.readouterr().err
    assert first[0].engine.startswith("transformers 5")
    assert run() == first
    assert "asked 0, from the ledger 2, of 2 wanted" in capsys.readouterr().err
    network = AutoModelForCausalLM.from_pretrained(model)
    network.model.embed_tokens.weight.data.neg_()
    network.save_pretrained(model)
    assert [row.text for row in run()] != [row.text for row in first]
    assert "asked 2, from the ledger 0, of 2 wanted" in capsys.readouterr().err


def benchmark(samples: int, suffix: str, max_tokens: int | None) -> Benchmark:
    columns = {"prompt": "q", "reference": "a", "reference_format": "answer"}
    origin = {"category": "math", "licence": "MIT", "files": ("f",), "columns": columns}
    return Benchmark.model_validate(
        {
            "queries": origin,
            "samples": samples,
            "suffix": suffix,
            "max_tokens": max_tokens,
            "graded": True,
        }
    )


def test_all_benchmarks_are_sampled_in_one_start_each_by_its_own_rule(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> tuple[list[Response], list[Response]]:
        sample.run(
            name="student",
            model=model,
            sampling=BenchmarkSampling(engine="transformers", system=None, sampling=HOT),
            benchmarks={"easy": benchmark(3, "", None), "hard": benchmark(2, " Think!", 5)},
            seed=7,
            queries=(
                queries(tmp_path / "easy/queries.parquet", "1+1?", "2+2?"),
                # A question that a benchmark holds twice is asked once.
                queries(tmp_path / "hard/queries.parquet", "2+2?", "2+2?"),
            ),
            ledger=tmp_path / "ledger",
            out=tmp_path,
        )
        tables = (tmp_path / f"{name}.samples.parquet" for name in ("easy", "hard"))
        easy, hard = (list(read(path, Response)) for path in tables)
        return easy, hard

    easy, hard = run()
    assert capsys.readouterr().err.count("starting transformers") == 1
    assert [row.attempt for row in easy] == [1, 2, 3, 1, 2, 3]
    assert [row.attempt for row in hard] == [1, 2]
    assert len({row.text for row in easy}) == 6
    # Same query in both: the row keeps its id although the suffix was part of what was asked.
    assert hard[0].query_id == easy[3].query_id
    assert hard[0].n_prompt_tokens == easy[3].n_prompt_tokens + len(" Think!")
    assert max(row.n_tokens for row in hard) <= 5
    assert run() == (easy, hard)
    assert "asked 0, from the ledger 8, of 8 wanted" in capsys.readouterr().err


def test_a_lean_start_leaves_the_libraries_that_it_hid_importable() -> None:
    from sourcewise.engines.startup import lean_imports

    present = "sklearn" in sys.modules
    with lean_imports():
        pass
    assert ("sklearn" in sys.modules) == present
    assert importlib.util.find_spec("sklearn") is not None
