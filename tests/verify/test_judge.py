"""A judge that answers, contradicts itself, babbles, stalls or is not there; a real server on loopback."""

import itertools
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from rows import attempt
from scripted import Scripted, completion, drip, drop, flood, refuse, send, stall

from sourcewise.grading import endpoint
from sourcewise.grading.attempts import Judged
from sourcewise.params.judge import Judge
from sourcewise.verifiers import science

KNOBS = Judge(model="judge", max_answer_chars=200, seconds=2, seed=7, task=None)
HASTY = KNOBS.model_copy(update={"seconds": 0.3})
FIVE = '{"similarity": 5}'


def _verdict(answer: str = "energy", *, knobs: Judge = KNOBS) -> Judged:
    text = f"<think>…</think><answer>{answer}</answer>"
    [verdict] = science.score(
        [attempt("science", {"answer": "the mitochondrion"}, text)], knobs=knobs
    )
    return verdict


def _in_turn(replies: Iterable[Any]) -> Callable[[str], Any]:
    script = iter(replies)
    return lambda prompt: next(script)


def test_two_agreeing_readings_in_opposite_orders_make_a_score(server: Scripted) -> None:
    verdict = _verdict("mitochondria")
    assert (verdict.score, verdict.detail) == (1.0, "similarity 5 and 5 of 5")
    assert json.loads(verdict.facts) == {"by": "judge", "ratings": {"similarity": [5, 5]}}
    assert 0 < verdict.seconds < 60
    first, second = server.prompts()
    assert first.index("| the mitochondrion") < first.index("| mitochondria\n")
    assert second.index("| mitochondria\n") < second.index("| the mitochondrion")


def test_the_judge_is_asked_for_json_without_chance(server: Scripted) -> None:
    _verdict()
    for body in server.requests:
        assert (body["temperature"], body["seed"], body["model"]) == (0.0, 7, "judge")
        form = body["response_format"]["json_schema"]["schema"]
        assert form["properties"] == {"similarity": {"type": "number", "minimum": 0, "maximum": 5}}
        assert (form["required"], form["additionalProperties"]) == (["similarity"], False)


def test_a_server_without_structured_output_is_asked_for_it_once(server: Scripted) -> None:
    server.structured = False
    row = attempt("science", {"answer": "x y"}, "<answer>z</answer>")
    judged = itertools.chain(*(science.score([row, row], knobs=KNOBS) for _ in range(2)))
    assert [verdict.score for verdict in judged] == [1.0] * 4
    refused = [body for body in server.requests if "response_format" in body]
    # Of each run the two rows may both begin before the first refusal.
    assert 2 <= len(refused) <= 4
    assert len(server.requests) == 8 + len(refused)


def test_the_parameters_say_what_the_judge_is_to_do(server: Scripted) -> None:
    _verdict(knobs=KNOBS.model_copy(update={"task": "Compare."}))
    assert all(prompt.startswith("Compare.\n") for prompt in server.prompts())


def test_the_lower_of_two_close_readings_counts(server: Scripted) -> None:
    server.reply = _in_turn(['Sure: {"similarity": 4.5}', '{"similarity": 4}'])
    assert _verdict().score == 0.8


@pytest.mark.parametrize(
    "replies",
    [
        [FIVE, '{"similarity": 0}'],
        ["Five!", "Five!"],
        ['{"similarity": 50}', '{"similarity": 50}'],
        ['{"similarity": -1}', '{"similarity": -1}'],
        ['{"similarity": true}', '{"similarity": true}'],
        ['{"similarity": "5"}', '{"similarity": "5"}'],
        ['{"similarity": NaN}', '{"similarity": NaN}'],
        ['{"similarity": 1e999}', '{"similarity": 1e999}'],
        ['{"similarity": [5]}', '{"similarity": [5]}'],
        ['{"similarity": ' + "[" * 100_000 + "}", FIVE],
        ['{"similarity": ' + "5" * 5000 + "}", FIVE],
        ['{"similarity": 0, "similarity": 5}', '{"similarity": 0, "similarity": 5}'],
        ['{"similarity": 5, "sure": 1}', '{"similarity": 5, "sure": 1}'],
        ['{"score": 5}', '{"score": 5}'],
        ["{}", "{}"],
        [f"{FIVE} {FIVE}", FIVE],
        ['{"similarity": 5', '{"similarity": 5'],
        ["", ""],
        [FIVE, "I take it back."],
        [None, None],
        [refuse(422), refuse(422)],
        [lambda handler: send(handler, b"<html>Sign in</html>")],
        [lambda handler: send(handler, b'{"choices": []}')],
        [lambda handler: send(handler, b"[" * 100_000)],
        [lambda handler: send(handler, completion(FIVE)[:-9])],
        [flood],
    ],
)
def test_what_cannot_be_read_is_no_verdict(server: Scripted, replies: list[Any]) -> None:
    server.reply = _in_turn([*replies, *replies])
    verdict = _verdict()
    assert (verdict.status, verdict.score) == ("judge_error", None), verdict.detail


@pytest.mark.parametrize("trouble", [refuse(429), refuse(500), refuse(503), drop, stall, drip])
def test_a_passing_trouble_is_asked_again(server: Scripted, trouble: Callable[[Any], None]) -> None:
    server.reply = _in_turn([trouble, trouble, FIVE, trouble, FIVE])
    assert _verdict(knobs=HASTY).score == 1.0
    assert len(server.requests) == 5


@pytest.mark.parametrize(("retry_after", "least"), [("0.4", 0.4), ("9999", 0.5), ("soon", 0.0)])
def test_a_busy_server_is_given_the_time_that_it_asks_for(
    server: Scripted, monkeypatch: pytest.MonkeyPatch, retry_after: str, least: float
) -> None:
    monkeypatch.setattr(endpoint, "LONGEST_PAUSE", 0.5)
    server.reply = _in_turn([refuse(429, retry_after=retry_after), FIVE, FIVE])
    verdict = _verdict()
    assert verdict.score == 1.0
    assert least <= verdict.seconds < 60


@pytest.mark.parametrize("trouble", [refuse(429), refuse(500), drop, stall, drip])
def test_a_judge_that_stays_away_is_no_verdict(
    server: Scripted, trouble: Callable[[Any], None]
) -> None:
    server.reply = lambda prompt: trouble
    verdict = _verdict(knobs=HASTY)
    assert (verdict.status, verdict.score) == ("infrastructure", None)
    assert len(server.requests) == endpoint.TRIES


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_or_address_is_not_tried_again(server: Scripted, status: int) -> None:
    server.reply = lambda prompt: refuse(status)
    verdict = _verdict()
    assert verdict.status == "infrastructure"
    assert str(status) in verdict.detail
    assert len(server.requests) == 1


def test_an_unreachable_judge_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCEWISE_JUDGE_URL", "http://127.0.0.1:9/v1")
    assert _verdict().status == "infrastructure"


def test_a_judge_that_is_gone_is_given_up(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "SILENT", 3)
    monkeypatch.setattr(endpoint, "CONCURRENT", 1)
    server.reply = lambda prompt: refuse(500)
    rows = [attempt("science", {"answer": "x y"}, f"<answer>{n}</answer>") for n in range(20)]
    verdicts = list(science.score(rows, knobs=KNOBS))
    assert {verdict.status for verdict in verdicts} == {"infrastructure"}
    assert "3 questions in a row" in verdicts[-1].detail
    assert len(server.requests) == 3 * endpoint.TRIES


def test_a_consumer_that_leaves_early_is_not_held_up_by_a_stalling_judge(server: Scripted) -> None:
    rows = [attempt("science", {"answer": "B"}, "<answer>B</answer>")]
    rows += [attempt("science", {"answer": "x y"}, "<answer>z</answer>")] * 70
    server.reply = lambda prompt: stall
    verdicts = science.score(rows, knobs=KNOBS.model_copy(update={"seconds": 60}))
    assert next(verdicts).score == 1.0
    verdicts.close()
    assert not server.released.is_set()


def test_many_rows_keep_their_order(server: Scripted) -> None:
    server.reply = lambda prompt: f'{{"similarity": {4 if "even" in prompt else 1}}}'
    rows = [
        attempt("science", {"answer": "x y"}, f"<answer>{'odd' if n % 2 else 'even'} {n}</answer>")
        for n in range(100)
    ]
    scores = [verdict.score for verdict in science.score(rows, knobs=KNOBS)]
    assert scores == [0.8, 0.2] * 50


def test_no_more_rows_are_read_than_are_asked_about(server: Scripted) -> None:
    read = itertools.count()

    def rows() -> Iterable[Any]:
        for _ in range(1000):
            next(read)
            yield attempt("science", {"answer": "x y"}, "<answer>z</answer>")

    verdicts = science.score(rows(), knobs=KNOBS)
    next(verdicts)
    verdicts.close()
    assert next(read) <= endpoint.AHEAD
