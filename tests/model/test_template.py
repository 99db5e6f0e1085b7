"""The chat template that a student is trained with, keeps, and is asked with."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_qwen
from small_training import EXAMPLES, train
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer

from sourcewise.chat import end_of_turn, exchanges
from sourcewise.tables import Message
from sourcewise.training import template

TURNS = [Message("user", "1+1?"), Message("assistant", "<think>easy</think>2")]
CHATML = tiny_qwen.CHAT_TEMPLATE
DROPS = CHATML.replace("message['content']", "message['content'].split('</think>')[-1]")
CLOSES = CHATML.replace("assistant\n' }}", "assistant\n<think>\n\n</think>\n\n' }}")
OPENS = CHATML.replace("assistant\n' }}", "assistant\n<think>\n' }}")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model without chat template, as most are."""
    return tiny_qwen.build(tmp_path_factory.mktemp("bare") / "base", chat_template=None)


def test_a_base_without_template_is_refused_with_the_way_out(bare: Path) -> None:
    with pytest.raises(
        ValueError, match=r"base does not exist, .*: set train.chat_template to ours"
    ):
        template.tokenizer(bare, None)


def test_ours_is_chatml_and_the_student_keeps_it(bare: Path, tmp_path: Path) -> None:
    made = train(tmp_path, bare, EXAMPLES, epochs=1, chat_template="ours")
    kept = AutoTokenizer.from_pretrained(made.out)
    [exchange] = exchanges(kept, [TURNS])
    prompt, response = kept.decode(exchange.prompt), kept.decode(exchange.response)
    assert prompt == "<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n"
    assert response == "<think>easy</think>2<|im_end|>"
    assert kept.eos_token == "<|im_end|>"


def test_a_base_that_is_asked_untrained_has_the_template_too(bare: Path, tmp_path: Path) -> None:
    made = train(tmp_path, bare, None, chat_template="ours")
    assert exchanges(AutoTokenizer.from_pretrained(made.out), [TURNS])
    assert (made.out / "model.safetensors").read_bytes() == (
        bare / "model.safetensors"
    ).read_bytes()


def test_a_template_of_ones_own_is_kept_and_its_content_counts(bare: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.jinja"
    own.write_text(CHATML.replace("'\n'", "': '"))
    before = template.digest(str(own))
    made = train(tmp_path, bare, EXAMPLES, epochs=1, chat_template=str(own))
    assert (made.out / "chat_template.jinja").read_text() == own.read_text()
    own.write_text(CHATML)
    assert template.digest(str(own)) != before
    with pytest.raises(ValueError, match=r"nowhere.jinja is neither ours nor a file"):
        template.digest("nowhere.jinja")


def test_ours_ends_turns_with_the_end_of_text_where_chatml_is_no_token(bare: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(bare)
    content = (bare / "tokenizer.json").read_text().replace("<|im_end|>", "<|eot|>")
    other = bare.parent / "other"
    tokenizer.save_pretrained(other)
    (other / "tokenizer.json").write_text(content)
    config = (other / "tokenizer_config.json").read_text().replace("<|im_end|>", "<|eot|>")
    (other / "tokenizer_config.json").write_text(config)
    loaded = template.tokenizer(other, "ours")
    assert loaded.convert_ids_to_tokens(end_of_turn(loaded)) == "<|endoftext|>"
    [exchange] = exchanges(loaded, [TURNS])
    assert loaded.decode(exchange.response) == "<think>easy</think>2<|endoftext|>"


def test_ours_begins_with_the_token_that_the_tokenizer_begins_texts_with(bare: Path) -> None:
    """Gemma and Llama are lost without it."""
    tokenizer = AutoTokenizer.from_pretrained(bare)
    tokenizer.add_special_tokens({"bos_token": "<bos>"})
    assert "<bos>" not in template.ours(tokenizer)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", tokenizer.bos_token_id)]
    )
    tokenizer.chat_template = template.ours(tokenizer)
    [exchange] = exchanges(tokenizer, [TURNS])
    assert exchange.prompt.count(tokenizer.bos_token_id) == 1
    assert exchange.prompt[0] == tokenizer.bos_token_id


def test_a_template_that_drops_the_final_reasoning_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    template.tokenizer(tiny_qwen.build(tmp_path / "drops", chat_template=DROPS), None)
    said = capsys.readouterr().err
    assert "drops rewrites the final response" in said
    assert "set train.chat_template to ours" in said
    for keeps in (CHATML, OPENS):
        base = tiny_qwen.build(tmp_path / "keeps", chat_template=keeps)
        capsys.readouterr()
        template.tokenizer(base, None)
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (CLOSES, "closes the reasoning before the response begins"),
        ("{% for m in messages %}{{ m.content.nothing() }}{% endfor %}", "cannot be rendered"),
        ("{{ raise_exception('no turns') }}", r"cannot be rendered \(no turns\)"),
        ("{% for m in messages %}x<|im_end|>{% endfor %}", "leaves out what the user says"),
    ],
)
def test_a_template_that_no_student_can_be_trained_with_is_refused(
    wrong: str, says: str, tmp_path: Path
) -> None:
    base = tiny_qwen.build(tmp_path / "base", chat_template=wrong)
    with pytest.raises(ValueError, match=says):
        template.tokenizer(base, None)
