"""Dialogue is rated as a whole conversation, by a judge or a reward model, or not at all."""

import dataclasses
import json
import os
import stat
import sys
from pathlib import Path

import pytest
from rows import attempt
from scripted import Scripted

from sourcewise.grading import reward
from sourcewise.grading.attempts import Attempt
from sourcewise.params.distill import Reward
from sourcewise.params.judge import Judge
from sourcewise.tables import Message
from sourcewise.verifiers import dialogue

JUDGE = Judge(model="judge", max_answer_chars=200, seconds=2, seed=7, task=None)
REWARD = Reward(
    reward_model="nowhere",
    revision="local",
    outputs=("helpfulness", "correctness", "coherence"),
    lowest=0.0,
    highest=4.0,
    max_tokens=100,
)


def _row(answer: str = "<think>hm</think>Hello!") -> Attempt:
    turns = [Message("user", "Hi."), Message("assistant", "Yes?"), Message("user", "Greet me.")]
    return dataclasses.replace(attempt("dialogue", "{}", answer), messages=turns)


def test_the_score_is_the_sum_of_three_ratings(server: Scripted) -> None:
    server.reply = lambda prompt: '{"coherence": 4, "correctness": 3, "helpfulness": 2}'
    [verdict] = dialogue.score([_row()], knobs=JUDGE)
    assert verdict.score == 0.75
    facts = json.loads(verdict.facts)
    assert facts["ratings"] == {
        "coherence": [4, 4],
        "correctness": [3, 3],
        "helpfulness": [2, 2],
    }


def test_the_whole_conversation_is_judged_and_no_reasoning(server: Scripted) -> None:
    list(dialogue.score([_row()], knobs=JUDGE))
    for prompt in server.prompts():
        assert "| user: Hi.\n| \n| assistant: Yes?\n| \n| user: Greet me.\n[end of" in prompt
        assert "| Hello!\n" in prompt
        assert "hm" not in prompt


def test_labels_change_their_order(server: Scripted) -> None:
    server.reply = lambda prompt: '{"coherence": 4, "correctness": 4, "helpfulness": 4}'
    list(dialogue.score([_row()], knobs=JUDGE))
    orders = [
        list(body["response_format"]["json_schema"]["schema"]["properties"])
        for body in server.requests
    ]
    assert orders[0] == orders[1][::-1] == list(dialogue.SCALES)
    first, second = (prompt.rpartition("Reply with")[2] for prompt in server.prompts())
    assert first.index("coherence") < first.index("helpfulness")
    assert second.index("helpfulness") < second.index("coherence")


def test_readings_that_differ_in_one_label_are_no_verdict(server: Scripted) -> None:
    ratings = iter([2, 4])
    server.reply = lambda prompt: (
        f'{{"coherence": 4, "correctness": {next(ratings)}, "helpfulness": 4}}'
    )
    [verdict] = dialogue.score([_row()], knobs=JUDGE)
    assert (verdict.status, verdict.score) == ("judge_error", None)
    assert "correctness 2 and 4" in verdict.detail


@pytest.mark.parametrize("knobs", [JUDGE, REWARD])
def test_nothing_is_accepted_without_a_judge(
    monkeypatch: pytest.MonkeyPatch, knobs: Judge | Reward
) -> None:
    for name in ("SOURCEWISE_JUDGE_URL", "SOURCEWISE_MODEL_PYTHON"):
        monkeypatch.delenv(name, raising=False)
    verdicts = list(
        dialogue.score([_row(), _row("<think>hm"), _row("<answer></answer>")], knobs=knobs)
    )
    assert [one.status for one in verdicts] == ["unavailable", "truncated", "no_answer"]
    remedy = "SOURCEWISE_JUDGE_URL" if knobs is JUDGE else "SOURCEWISE_MODEL_PYTHON"
    assert remedy in verdicts[0].detail


def test_there_is_no_reference_to_find_fault_with() -> None:
    assert list(dialogue.problems(["{}", "", "?"], knobs=JUDGE)) == [None, None, None]


def _interpreter(folder: Path, body: str) -> str:
    """A program in the place of the model environment's Python, which runs `body`."""
    script = folder / "python"
    script.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{body}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return str(script)


GREET = 'line = sys.stdin.readline(); print(\'{"problem": ""}\', flush=True)\n'
ANSWER = """
for line in sys.stdin:
    for number, turns in enumerate(json.loads(line)):
        print(json.dumps({"number": number, "outputs": [4.0, 2.0, len(turns)]}), flush=True)
"""


def test_outputs_are_read_by_their_names_and_cut_to_their_range(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = GREET + ANSWER.replace("len(turns)", "9.0")
    monkeypatch.setenv("SOURCEWISE_MODEL_PYTHON", _interpreter(tmp_path, program))
    knobs = REWARD.model_copy(update={"lowest": 1.0, "highest": 5.0})
    rows = [_row(), _row("<answer></answer>"), _row("<think>so")]
    verdicts = list(dialogue.score(rows, knobs=knobs))
    assert [one.status for one in verdicts] == ["scored", "no_answer", "truncated"]
    ratings = json.loads(verdicts[0].facts)["ratings"]
    assert ratings == {"coherence": 4, "correctness": 1, "helpfulness": 3}
    assert verdicts[0].score == pytest.approx(8 / 12)
    assert verdicts[0].seconds > 0


def test_a_conversation_that_the_model_cannot_read_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = '"problem": "roles must alternate"'
    program = GREET + ANSWER.replace('"outputs": [4.0, 2.0, len(turns)]', refusal)
    monkeypatch.setenv("SOURCEWISE_MODEL_PYTHON", _interpreter(tmp_path, program))
    [verdict] = dialogue.score([_row()], knobs=REWARD)
    assert (verdict.status, verdict.score) == ("judge_error", None)
    assert "roles must alternate" in verdict.detail


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("sys.exit(3)", "infrastructure"),
        ("print('no JSON', flush=True); time.sleep(60)", "infrastructure"),
        ("print('x' * (1 << 21), flush=True); time.sleep(60)", "infrastructure"),
        ("time.sleep(60)", "infrastructure"),
        (GREET + "os.abort()", "infrastructure"),
        (GREET + "time.sleep(60)", "infrastructure"),
        (GREET + "sys.stdin.readline(); time.sleep(60)", "infrastructure"),
        (GREET + ANSWER.replace("len(turns)", ""), "infrastructure"),
        (GREET + ANSWER.replace("number,", "7,"), "infrastructure"),
        (GREET.replace('""', '"it holds pickles"'), "unavailable"),
        (GREET + ANSWER.replace("4.0", "float('nan')"), "judge_error"),
        (GREET + ANSWER.replace("4.0", "float('inf')"), "judge_error"),
        (GREET + ANSWER.replace("4.0", "'four'"), "infrastructure"),
    ],
)
def test_a_process_that_fails_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, status: str
) -> None:
    monkeypatch.setattr(reward, "LOADING_SECONDS", 1.0)
    monkeypatch.setattr(reward, "SILENT_SECONDS", 0.5)
    monkeypatch.setenv("SOURCEWISE_MODEL_PYTHON", _interpreter(tmp_path, body))
    # More than a pipe holds, for the one that does not read.
    verdicts = list(dialogue.score([_row("y" * 100_000), _row()], knobs=REWARD))
    assert {(one.status, one.score) for one in verdicts} == {(status, None)}


def test_after_a_crash_the_process_starts_again_and_gives_up_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialogue, "BATCH", 1)
    starts = tmp_path / "starts"
    count = f"open({str(starts)!r}, 'a').write('.')\n"
    once = f"if os.path.getsize({str(starts)!r}) == 1: os.abort()\n"
    monkeypatch.setenv(
        "SOURCEWISE_MODEL_PYTHON", _interpreter(tmp_path, count + GREET + once + ANSWER)
    )
    statuses = [one.status for one in dialogue.score([_row()] * 3, knobs=REWARD)]
    assert statuses == ["infrastructure", "scored", "scored"]
    starts.unlink()
    monkeypatch.setenv("SOURCEWISE_MODEL_PYTHON", _interpreter(tmp_path, count + "os.abort()"))
    statuses = [one.status for one in dialogue.score([_row()] * 9, knobs=REWARD)]
    assert statuses == ["infrastructure"] * 9
    assert starts.stat().st_size == reward.FAILURES


def test_the_process_ends_with_its_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = tmp_path / "pid"
    program = f"open({str(note)!r}, 'w').write(str(os.getpid()))\n" + GREET + ANSWER
    monkeypatch.setenv("SOURCEWISE_MODEL_PYTHON", _interpreter(tmp_path, program))
    verdicts = dialogue.score([_row()], knobs=REWARD)
    assert next(verdicts).status == "scored"
    verdicts.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)


@pytest.mark.parametrize(
    "mistake",
    [
        {"outputs": ("coherence", "correctness")},
        {"outputs": ("coherence", "correctness", "helpfulness", "coherence")},
        {"lowest": 4.0},
    ],
)
def test_outputs_that_would_mean_nothing_are_refused(mistake: dict) -> None:
    with pytest.raises(ValueError, match=r"outputs|lowest"):
        Reward(**{**REWARD.model_dump(), **mistake})
