"""Tiny models: one tokenizer for all, loss on the answer only, documents kept apart, a directory that loads."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from sourcewise.params.models import Pretrain
from sourcewise.stages import pretrain
from sourcewise.synthetic import packing, tokenizer, training
from sourcewise.synthetic.documents import Document, vocabulary_text
from sourcewise.tables import Message

SETTINGS = Pretrain.model_validate_json(
    json.dumps(
        {
            "style": "terse",
            "problems": {
                "arithmetic": 60,
                "multi_turn": 10,
                "code": 10,
                "instruction": 10,
                "drills": 5,
            },
            "label_noise": 0.0,
            "hidden_size": 32,
            "layers": 2,
            "heads": 2,
            "kv_heads": 1,
            "intermediate_size": 64,
            "steps": 30,
            "learning_rate": 0.005,
            "batch_rows": 2,
            "row_tokens": 128,
            "seed": 1,
        }
    )
)
TALK = Document(
    [Message("user", "How many?"), Message("assistant", "12 pens."), Message("user", "And now?")],
    "<think>12-3=9</think><answer>9</answer>",
)


@pytest.fixture(scope="module")
def words() -> Any:
    return tokenizer.train(vocabulary_text())


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "terse"
    pretrain.run(name="terse", model=SETTINGS, out=out)
    return out


def _dicts(messages: list[Message]) -> list[dict[str, str]]:
    return [{"role": turn.role, "content": turn.content} for turn in messages]


def test_the_tokenizer_is_the_same_in_every_run_and_for_every_model(
    words: Any, directory: Path
) -> None:
    from transformers import AutoTokenizer

    again = tokenizer.train(vocabulary_text()).backend_tokenizer.to_str()
    assert again == words.backend_tokenizer.to_str()
    assert AutoTokenizer.from_pretrained(directory).get_vocab() == words.get_vocab()
    assert len(words) == tokenizer.VOCABULARY


def test_any_text_survives_the_tokenizer_and_digits_stand_alone(words: Any) -> None:
    text = "Ünïcode 🙂\n\tdef f(x): <think>1234</think>"
    assert words.decode(words(text)["input_ids"]) == text
    assert words.tokenize("1234") == ["1", "2", "3", "4"]
    assert words.tokenize("<think>") == ["<think>"]


def test_the_chat_template_takes_a_system_turn_and_marks_only_the_last_answer(words: Any) -> None:
    talk = [
        {"role": "system", "content": "Be brief."},
        *_dicts(TALK.messages),
        {"role": "assistant", "content": TALK.target},
    ]
    text = words.apply_chat_template(talk, tokenize=False)
    assert text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHow many?<|im_end|>\n"
        "<|im_start|>assistant\n12 pens.<|im_end|>\n<|im_start|>user\nAnd now?<|im_end|>\n"
        "<|im_start|>assistant\n<think>12-3=9</think><answer>9</answer><|im_end|>\n"
    )
    prompt = words.apply_chat_template(talk[:-1], tokenize=False, add_generation_prompt=True)
    assert text.startswith(prompt)
    marked = words.apply_chat_template(talk, return_dict=True, return_assistant_tokens_mask=True)
    learnt = [
        token
        for token, mask in zip(marked["input_ids"], marked["assistant_masks"], strict=True)
        if mask
    ]
    assert words.decode(learnt) == TALK.target + "<|im_end|>"


def test_only_the_target_and_its_end_are_learnt(words: Any) -> None:
    [encoded] = packing.encode([TALK], words)
    assert words.decode(encoded.ids[encoded.n_given :]) == TALK.target + "<|im_end|>"
    assert words.decode(encoded.ids[: encoded.n_given]).endswith("<|im_start|>assistant\n")


def test_rows_hold_every_document_once_an_epoch_and_never_overflow(words: Any) -> None:
    documents = [packing.Encoded([index] * (3 + index % 7), 1) for index in range(100)]
    stream = packing.rows(documents, 20, seed=1)
    held: list[int] = []
    while len(held) < 100:
        row = next(stream)
        assert sum(len(document.ids) for document in row) <= 20
        held += [document.ids[0] for document in row]
    # Rows still open at the end of an epoch take the next one's documents.
    assert len(set(held[:100])) > 80
    later = [d.ids[0] for row in itertools.islice(stream, 200) for d in row]
    counts = [(held + later).count(index) for index in range(100)]
    assert max(counts) - min(counts) <= 2


def test_a_document_that_fits_no_row_is_an_error_that_names_the_key() -> None:
    with pytest.raises(ValueError, match=r"has 30 tokens: raise row_tokens \(now 20\)"):
        next(packing.rows([packing.Encoded([1] * 30, 1)], 20, seed=1))


def test_the_loss_of_packed_documents_is_the_loss_of_each_alone(words: Any) -> None:
    other = Document(
        [Message("user", "What is 2 plus 3?")], "<think>2+3=5</think><answer>5</answer>"
    )
    first, second = packing.encode([TALK, other], words)
    network = training.create(SETTINGS, words)
    learnt = [len(document.ids) - document.n_given for document in (first, second)]
    alone = [training.batch_loss(network, [[d]], 128).item() for d in (first, second)]
    together = training.batch_loss(network, [[first, second]], 128).item()
    expected = (alone[0] * learnt[0] + alone[1] * learnt[1]) / sum(learnt)
    assert together == pytest.approx(expected, abs=1e-5)


def test_the_directory_loads_and_generates(directory: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    network = AutoModelForCausalLM.from_pretrained(directory)
    tokens = AutoTokenizer.from_pretrained(directory)
    assert network.lm_head.weight.data_ptr() != network.model.embed_tokens.weight.data_ptr()
    assert tokens.eos_token_id in network.generation_config.eos_token_id
    prompt = tokens.apply_chat_template(
        _dicts(TALK.messages), add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    written = network.generate(**prompt, max_new_tokens=5, do_sample=False)
    assert written.shape[1] > prompt["input_ids"].shape[1]


def test_training_learns_and_says_how(directory: Path) -> None:
    record = json.loads((directory / "training.json").read_text())
    assert record["settings"] == SETTINGS.model_dump()
    assert record["final_loss"] < 6.0  # a uniform guess among 768 tokens has 6.6
    assert (record["steps_per_loss"], len(record["loss"])) == (25, 2)  # 25 steps and the last 5


def test_the_same_settings_give_the_same_bytes(directory: Path, tmp_path: Path) -> None:
    pretrain.run(name="terse", model=SETTINGS, out=tmp_path / "again")
    names = sorted(path.name for path in directory.iterdir())
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == names
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (directory / name).read_bytes(), name


def test_a_failed_run_leaves_the_former_model_and_nothing_under_its_name(tmp_path: Path) -> None:
    out = tmp_path / "terse"
    out.mkdir()
    (out / "config.json").write_text("former")
    with pytest.raises(ValueError, match="raise row_tokens"):
        pretrain.run(name="terse", model=SETTINGS.model_copy(update={"row_tokens": 16}), out=out)
    assert (out / "config.json").read_text() == "former"
    assert [path.name for path in tmp_path.iterdir()] == ["terse"]
