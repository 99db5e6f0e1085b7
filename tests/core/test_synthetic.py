"""Synthetic problems: distinct, split, checkable; traces that say what they should."""

from __future__ import annotations

import itertools
import json
import random

import pytest

from sourcewise.params.models import Problems
from sourcewise.params.queries import Synthetic
from sourcewise.synthetic.arithmetic import Calculation, Operation
from sourcewise.synthetic.documents import documents
from sourcewise.synthetic.instruction import Constraints
from sourcewise.synthetic.problems import Problem, problems
from sourcewise.synthetic.traces import STYLES, trace
from sourcewise.tables import Message
from sourcewise.text import final_answer, query_id, split_reasoning

TASKS = ("arithmetic", "multi_turn", "code", "instruction")
TAGGED = ("terse", "steps", "verbose")
SUM = Problem(
    messages=[Message("user", "Ana has 12 pens and gets 7 more. Then Ana loses 4. How many now?")],
    category="math",
    reference='{"answer": "15"}',
    solution=Calculation((Operation(12, "+", 7), Operation(19, "-", 4))),
)


def _some(task: str, n: int = 200, **spec: object) -> list[Problem]:
    wanted = Synthetic.model_validate({"task": task, "n": n, "seed": 3, **spec})
    return list(problems(wanted, seed=5))


@pytest.mark.parametrize("task", TASKS)
def test_the_same_seeds_give_the_same_problems_and_another_seed_gives_others(task: str) -> None:
    assert _some(task) == _some(task)
    assert _some(task) != _some(task, seed=4)


@pytest.mark.parametrize("task", TASKS)
def test_no_query_comes_twice_and_training_shares_none_with_what_is_held_out(task: str) -> None:
    train = {query_id(problem.messages) for problem in _some(task, 1500)}
    held_out = {query_id(problem.messages) for problem in _some(task, 500, split="held_out")}
    assert (len(train), len(held_out)) == (1500, 500)
    assert not train & held_out


def test_a_problem_of_one_step_is_never_held_out_for_one_list_of_steps_and_trained_on_in_another() -> (
    None
):
    easy = {
        query_id(problem.messages)
        for problem in _some("arithmetic", 800, steps=(1,), split="held_out")
    }
    mixed = {query_id(problem.messages) for problem in _some("arithmetic", 3000, steps=(1, 2))}
    assert not easy & mixed


def test_more_problems_than_a_task_has_is_an_error_that_says_how_many_there_are() -> None:
    with pytest.raises(
        ValueError, match=r"'code' has no more than about \d+ held_out problems.*lower n"
    ):
        _some("code", 50_000, split="held_out")


def test_three_steps_are_an_error() -> None:
    with pytest.raises(ValueError, match="1 or 2 steps, not 3"):
        _some("arithmetic", steps=(3,))


@pytest.mark.parametrize("steps", [1, 2])
def test_the_numbers_of_a_word_problem_stand_in_its_text(steps: int) -> None:
    for problem in _some("arithmetic", steps=(steps,)):
        assert isinstance(problem.solution, Calculation)
        operations = problem.solution.operations
        assert len(operations) == steps
        words = problem.messages[0].content.replace(".", " ").split()
        for number in (operations[0].left, *(operation.right for operation in operations)):
            assert str(number) in words
        assert 0 < problem.solution.answer < 100


def test_a_conversation_asks_to_go_on_from_the_answer_given_before() -> None:
    for problem in _some("multi_turn"):
        assert [turn.role for turn in problem.messages] == ["user", "assistant", "user"]
        assert isinstance(problem.solution, Calculation)
        given = problem.messages[1].content.split()[0]
        assert str(problem.solution.operations[0].left) == given


def test_the_code_of_a_trace_passes_the_asserts_of_its_reference() -> None:
    for problem, style in zip(_some("code", 300), itertools.cycle(TAGGED), strict=False):
        answer = final_answer(trace(problem, style, random.Random(1)))
        assert answer is not None
        space: dict[str, object] = {}
        exec(answer.removeprefix("```python\n").removesuffix("```"), space)
        tests = json.loads(problem.reference)
        assert len(tests["assert_case"]) == 3
        assert tests["fn_name"] in space
        for case in tests["assert_case"]:
            exec(case, space)


def test_asserts_tell_a_right_function_from_a_slip() -> None:
    caught = 0
    for problem in _some("code", 300):
        slipped = final_answer(trace(problem, "terse", random.Random(1), label_noise=1.0))
        space: dict[str, object] = {}
        exec(str(slipped).removeprefix("```python\n").removesuffix("```"), space)
        try:
            for case in json.loads(problem.reference)["assert_case"]:
                exec(case, space)
        except AssertionError:
            caught += 1
    # Some slips cannot be seen: the larger of n and 8 or 9 is the same for most n.
    assert caught > 250


def test_every_instruction_comes_with_the_arguments_of_its_checker() -> None:
    needed = {
        "keywords:existence": {"keywords"},
        "keywords:forbidden_words": {"forbidden_words"},
        "startend:end_checker": {"end_phrase"},
        "detectable_format:number_bullet_lists": {"num_bullets"},
        "detectable_content:postscript": {"postscript_marker"},
    }
    met = set()
    for problem in _some("instruction", 500):
        reference = json.loads(problem.reference)
        pairs = zip(reference["instruction_id_list"], reference["kwargs"], strict=True)
        for name, arguments in pairs:
            assert set(arguments) == needed.get(name, set())
            met.add(name)
    assert len(met) == 8


def test_a_request_says_all_that_its_reference_demands() -> None:
    for problem in _some("instruction", 300):
        asked = problem.solution
        assert isinstance(asked, Constraints)
        request = problem.messages[0].content
        assert asked.topic in request
        for name in asked.constraints:
            assert asked.wish(name) in request


@pytest.mark.parametrize("style", TAGGED)
def test_a_trace_reasons_once_and_answers_once(style: str) -> None:
    text = trace(SUM, style, random.Random(2))
    assert [text.count(tag) for tag in ("<think>", "</think>", "<answer>", "</answer>")] == [1] * 4
    assert "12+7=19" in split_reasoning(text).reasoning
    assert final_answer(text) == "15"


def test_the_mixed_style_is_each_of_the_others_in_turn() -> None:
    rng = random.Random(6)
    texts = [split_reasoning(trace(SUM, "mixed", rng)).reasoning for _ in range(300)]
    terse = sum(text.startswith("12+7=19") for text in texts)
    steps = sum(text.startswith("Step 1:") for text in texts)
    verbose = sum("Again, 12+7=19." in text for text in texts)
    assert terse + steps + verbose == 300
    assert min(terse, steps, verbose) > 70


def test_noise_makes_answers_wrong_as_often_as_asked() -> None:
    rng = random.Random(3)
    answers = [final_answer(trace(SUM, "verbose", rng, label_noise=0.3)) for _ in range(1000)]
    assert 0.25 < sum(answer != "15" for answer in answers) / 1000 < 0.35


def test_styles_differ_in_length() -> None:
    rng = random.Random(4)
    sample = [problem for task in TASKS for problem in _some(task, 50)]
    terse, steps, verbose = (
        sum(len(trace(problem, style, rng)) for problem in sample) for style in TAGGED
    )
    assert terse * 1.3 < steps < verbose / 1.3


def test_plain_text_holds_no_tag_and_no_result() -> None:
    text = trace(SUM, "plain", random.Random(5))
    assert text == "12 plus 7, then 19 minus 4"


@pytest.mark.parametrize("style", STYLES)
def test_models_are_trained_on_no_held_out_query(style: str) -> None:
    amounts = Problems(arithmetic=400, multi_turn=100, code=100, instruction=100, drills=10)
    read = list(documents(amounts, style=style, label_noise=0.0, seed=9))
    assert len(read) == 710
    seen = {query_id(document.messages) for document in read if document.messages}
    held_out = {query_id(p.messages) for task in TASKS for p in _some(task, 500, split="held_out")}
    assert not seen & held_out
