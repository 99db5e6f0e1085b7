"""Instructions are checked by IFEval's rules, the same way in every run and without a network."""

import pytest
from rows import attempt

from sourcewise.grading import ifeval
from sourcewise.params.distill import InstructionVerifier
from sourcewise.tables import Verdict
from sourcewise.verifiers import instruction

STRICT = InstructionVerifier(mode="strict")


def _verdicts(*rows: tuple[dict, str], mode: str = "strict") -> list[Verdict]:
    given = []
    for instructions, text in rows:
        ids, kwargs = list(instructions), list(instructions.values())
        reference = {"instruction_id_list": ids, "kwargs": kwargs}
        given.append(attempt("instruction", reference, text))
    return list(instruction.score(given, knobs=InstructionVerifier(mode=mode)))


NO_COMMA = {"punctuation:no_comma": {}}
TWO_WORDS = {"length_constraints:number_words": {"relation": "at least", "num_words": 2}}


def test_the_score_is_the_share_of_instructions_met_and_the_rest_are_named() -> None:
    [verdict] = _verdicts((NO_COMMA | TWO_WORDS, "<think>a, b</think>one, two"))
    assert verdict.score == 0.5
    assert verdict.detail == "1 of 2 met; not punctuation:no_comma"


def test_only_the_answer_is_checked() -> None:
    [thought, cut] = _verdicts(
        (NO_COMMA, "<think>a, b</think><answer>one</answer>"), (NO_COMMA, "<think>one")
    )
    assert thought.score == 1.0
    assert cut.status == "truncated"


def test_loose_forgives_a_first_line_and_stars() -> None:
    title = {"startend:end_checker": {"end_phrase": "the end"}}
    text = "A story. *the end*\nHope it helps!"
    assert [v.score for v in _verdicts((title, text))] == [0.0]
    assert [v.score for v in _verdicts((title, text), mode="loose")] == [1.0]


@pytest.mark.parametrize(
    "instructions",
    [
        {"length_constraints:number_words": {"relation": "at least"}},
        {"length_constraints:number_words": {"relation": "about", "num_words": 2}},
        {"length_constraints:number_words": {"relation": "at least", "num_words": -1}},
        {"length_constraints:number_words": {"relation": "at least", "num_words": "many"}},
        {"keywords:existence": {"keywords": []}},
        {"keywords:existence": {"keywords": ["a("]}},
        {
            "keywords:letter_frequency": {
                "letter": None,
                "let_frequency": 1,
                "let_relation": "at least",
            }
        },
        {
            "length_constraints:nth_paragraph_first_word": {
                "num_paragraphs": 1,
                "nth_paragraph": 2,
                "first_word": "a",
            }
        },
        {"punctuation:no_colon": {}},
        {"punctuation:no_comma": {"unknown": 1}},
        {},
    ],
)
def test_an_instruction_without_its_arguments_is_a_bad_reference(instructions: dict) -> None:
    [verdict] = _verdicts((instructions, "some words"))
    assert verdict.status == "bad_reference", verdict


@pytest.mark.parametrize(
    "reference", ["", "[]", '{"instruction_id_list": ["punctuation:no_comma"]}']
)
def test_a_reference_without_instructions_is_a_bad_reference(reference: str) -> None:
    [verdict] = instruction.score([attempt("instruction", reference, "x")], knobs=STRICT)
    assert verdict.status == "bad_reference"


def test_a_number_of_zero_is_an_argument() -> None:
    placeholders = {"detectable_content:number_placeholders": {"num_placeholders": 0}}
    assert [v.score for v in _verdicts((placeholders, "none"))] == [1.0]


def test_a_sign_can_be_counted_as_a_letter() -> None:
    signs = {
        "keywords:letter_frequency": {"letter": "#", "let_frequency": 2, "let_relation": "at least"}
    }
    assert [v.score for v in _verdicts((signs, "## a"), (signs, "aaaa"))] == [1.0, 0.0]


def test_a_text_without_a_language_follows_no_language() -> None:
    german = {"language:response_language": {"language": "de"}}
    capital = {"change_case:english_capital": {}}
    texts = [
        (german, "12345"),
        (german, "Das ist ein deutscher Satz."),
        (capital, "THIS IS ENGLISH."),
    ]
    assert [v.score for v in _verdicts(*texts)] == [0.0, 1.0, 1.0]


def test_an_answer_that_costs_hours_to_check_loses_only_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(instruction, "SECONDS", 1.0)
    bullets = {"detectable_format:number_bullet_lists": {"num_bullets": 1}}
    rows = [(bullets, "* one"), (bullets, "x" + "\n" * 400_000 + "x"), (NO_COMMA, "x")]
    assert [v.status for v in _verdicts(*rows)] == ["scored", "timeout", "scored"]


def test_without_punkt_the_remedy_is_named(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk

    monkeypatch.setenv("SOURCEWISE_PUNKT", str(tmp_path))
    monkeypatch.setattr(nltk.data, "path", [])
    ifeval.punkt_available.cache_clear()
    sentences = {
        "length_constraints:number_sentences": {"relation": "at least", "num_sentences": 1}
    }
    try:
        [missing, other] = _verdicts((sentences, "One. Two."), (NO_COMMA, "One."))
    finally:
        ifeval.punkt_available.cache_clear()
    assert (missing.status, other.score) == ("unavailable", 1.0)
    assert "SOURCEWISE_PUNKT" in missing.detail
