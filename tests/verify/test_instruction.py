"""Instructions are checked by IFEval's rules, the same way in every run and without a network."""

import json

import pytest
from rows import attempt, jsonl

from sourcewise.gradable import instruction as gradable
from sourcewise.grading import punkt
from sourcewise.grading.attempts import Judged
from sourcewise.params.distill import InstructionVerifier
from sourcewise.verifiers import instruction

STRICT = InstructionVerifier(mode="strict")


def _reference(instructions: dict) -> str:
    ids, kwargs = list(instructions), list(instructions.values())
    return json.dumps({"instruction_id_list": ids, "kwargs": kwargs})


def _verdicts(*rows: tuple[dict, str], mode: str = "strict") -> list[Judged]:
    given = [attempt("instruction", _reference(asked), text) for asked, text in rows]
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


@pytest.mark.parametrize("mode", ["strict", "loose"])
def test_strict_and_loose_are_facts_whichever_counts(mode: str) -> None:
    end = {"startend:end_checker": {"end_phrase": "the end"}}
    texts = ["A story. The end", "A story. *the end*\nHope it helps!", "A, story."]
    rows = [(end | NO_COMMA, text) for text in texts]
    facts = [json.loads(verdict.facts) for verdict in _verdicts(*rows, mode=mode)]
    assert [(one["strict"], one["loose"]) for one in facts] == [
        (True, True),
        (False, True),
        (False, False),
    ]
    unmet = [[], ["startend:end_checker"], ["startend:end_checker", "punctuation:no_comma"]]
    assert [one["unmet"] for one in facts] == (unmet if mode == "strict" else [[], [], unmet[2]])


def test_a_whole_number_may_be_written_as_a_float() -> None:
    words = {"length_constraints:number_words": {"relation": "at least", "num_words": 2.0}}
    assert [v.score for v in _verdicts((words, "one two"), (words, "one"))] == [1.0, 0.0]


def test_the_published_references_are_usable_and_every_verdict_has_its_time() -> None:
    lines = jsonl("ifeval/input_data.jsonl")
    references = [json.dumps(line) for line in lines]
    found = instruction.problems([*references, "{}"], knobs=STRICT)
    assert [n for n, problem in enumerate(found) if problem] == [len(lines)]
    rows = [attempt("instruction", reference, "x") for reference in references[:20]]
    assert all(verdict.seconds > 0 for verdict in instruction.score(rows, knobs=STRICT))


def test_a_reference_whose_check_never_ends_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradable, "SECONDS", 1.0)
    monkeypatch.setattr(gradable, "PROBE", "a" * 40 + "!")
    endless = _reference({"keywords:existence": {"keywords": ["(a+)+b"]}})
    good = _reference(NO_COMMA)
    found = list(instruction.problems([good, endless, good], knobs=STRICT))
    assert found[0] is found[2] is None
    assert "timeout" in found[1]


def test_verdicts_do_not_depend_on_order_or_process() -> None:
    german = {"language:response_language": {"language": "de"}}
    texts = [
        "Das ist gut.",
        "Hotel Taxi",
        "ok",
        "de la",
        "a b c",
        "no",
        "Radio, Computer, Internet",
    ]
    rows = [(german, text) for text in texts]
    verdicts = _verdicts(*rows)
    assert verdicts[0].score == 1.0
    scores = [verdict.score for verdict in verdicts]
    assert [verdict.score for verdict in _verdicts(*rows[::-1])] == scores[::-1]
    assert _verdicts(rows[1])[0].score == scores[1]


@pytest.mark.parametrize(
    "instructions",
    [
        {"length_constraints:number_words": {"relation": "at least"}},
        {"length_constraints:number_words": {"relation": "about", "num_words": 2}},
        {"length_constraints:number_words": {"relation": "at least", "num_words": -1}},
        {"length_constraints:number_words": {"relation": "at least", "num_words": "many"}},
        {"keywords:existence": {"keywords": []}},
        {"keywords:existence": {"keywords": ["a("]}},
        {"keywords:existence": {"keywords": ["absent", "a("]}},
        {"keywords:existence": {"keywords": "letters"}},
        {"keywords:forbidden_words": {"forbidden_words": ["a", 1]}},
        {"language:response_language": {"language": "elvish"}},
        {"startend:end_checker": {"end_phrase": ""}},
        {"startend:end_checker": {"end_phrase": 5}},
        {"detectable_content:postscript": {"postscript_marker": " "}},
        {"detectable_format:multiple_sections": {"section_spliter": ["Part"], "num_sections": 2}},
        {
            "change_case:capital_word_frequency": {
                "capital_frequency": "3",
                "capital_relation": "at least",
            }
        },
        {"length_constraints:number_words": {"relation": "at least", "num_words": True}},
        {"length_constraints:number_words": {"relation": "at least", "num_words": 2.5}},
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
    [problem] = instruction.problems([_reference(instructions)], knobs=STRICT)
    assert problem == verdict.detail


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
    monkeypatch.setattr(gradable, "SECONDS", 1.0)
    bullets = {"detectable_format:number_bullet_lists": {"num_bullets": 1}}
    rows = [(bullets, "* one"), (bullets, "x" + "\n" * 400_000 + "x"), (NO_COMMA, "x")]
    assert [v.status for v in _verdicts(*rows)] == ["scored", "timeout", "scored"]


def test_without_punkt_the_remedy_is_named(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk

    monkeypatch.setenv("SOURCEWISE_PUNKT", str(tmp_path))
    monkeypatch.setattr(nltk.data, "path", [])
    punkt.available.cache_clear()
    sentences = {
        "length_constraints:number_sentences": {"relation": "at least", "num_sentences": 1}
    }
    try:
        [missing, other] = _verdicts((sentences, "One. Two."), (NO_COMMA, "One."))
    finally:
        punkt.available.cache_clear()
    assert (missing.status, other.score) == ("unavailable", 1.0)
    assert "SOURCEWISE_PUNKT" in missing.detail
