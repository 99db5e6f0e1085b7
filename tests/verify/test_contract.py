"""What every verifier keeps: its own reference passes, another query's does not, in order and with a name."""

import inspect
import itertools
import pkgutil
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from rows import attempt

from sourcewise import verifiers
from sourcewise.grading.attempts import Attempt, Judged
from sourcewise.params.distill import (
    CodeVerifier,
    InstructionVerifier,
    Judge,
    MathVerifier,
    Verifiers,
)
from sourcewise.stages.verify import VERIFIERS
from sourcewise.tables import STATUSES

JUDGE = Judge(model="j", max_answer_chars=2000, seconds=5, seed=0, task=None)
KNOBS = Verifiers(
    math=MathVerifier(seconds=5, memory_mb=2048, max_answer_chars=2000, judge=None),
    code=CodeVerifier(max_tests=10, seconds=5, memory_mb=512, compile_seconds=30),
    instruction=InstructionVerifier(mode="strict"),
    science=JUDGE,
    dialogue=JUDGE,
)


class Case(NamedTuple):
    """References of one category, each with a response that meets it and none of the others."""

    category: str
    pairs: tuple[tuple[dict[str, Any], str], ...]


def _answers(*answers: str) -> tuple[tuple[dict[str, Any], str], ...]:
    return tuple(({"answer": one}, f"<think>…</think><answer>{one}</answer>") for one in answers)


def _asserts(name: str, value: int) -> dict[str, Any]:
    cases = [f"assert {name}({n}) == {n + value}" for n in range(3)]
    return {"call_type": "assert", "fn_name": name, "assert_case": cases}


def _streams(language: str, *outputs: str) -> dict[str, Any]:
    inputs = ["1 2\n", "3 4\n"]
    return {
        "call_type": "std", "inputs": inputs, "outputs": list(outputs), "language": language
    }  # fmt: skip


def _cpp(expression: str) -> str:
    body = f"int a, b; std::cin >> a >> b; std::cout << {expression} << std::endl;"
    return f"```cpp\n#include <bits/stdc++.h>\nint main() {{ {body} }}\n```"


def _instruction(name: str, **arguments: Any) -> dict[str, Any]:
    return {"instruction_id_list": [name], "kwargs": [arguments]}


CASES = {
    "math": Case("math", _answers("3/4", "\\sqrt{2}", "(1, 2)", "x^2+1", "B", "10 cm")),
    "code, asserts": Case(
        "code",
        (
            (_asserts("f", 1), "```python\ndef f(x): return x + 1\n```"),
            (_asserts("f", 2), "```python\ndef f(x): return x + 2\n```"),
            (_asserts("g", 1), "```python\ndef g(x): return x + 1\n```"),
        ),
    ),
    "code, streams": Case(
        "code",
        (
            (_streams("python", "3\n", "7\n"), "```python\nprint(sum(map(int, input().split())))\n```"),
            (_streams("python", "1\n", "3\n"), "```python\nprint(input().split()[0])\n```"),
        ),
    ),
    "code, C++": Case(
        "code",
        (
            (_streams("cpp", "3\n", "7\n"), _cpp("a + b")),
            (_streams("cpp", "2\n", "12\n"), _cpp("a * b")),
        ),
    ),
    "instruction": Case(
        "instruction",
        (
            (_instruction("punctuation:no_comma"), "ONE TWO"),
            (_instruction("change_case:english_lowercase"), "one, two and three, all of them small"),
            (_instruction("keywords:existence", keywords=["Llama"]), "The Llama, with commas"),
        ),
    ),
    "science": Case("science", _answers("A", "D")),
    "science, numbers": Case("science", _answers("9.81", "6.02e23", "42")),
}  # fmt: skip


def _judged(attempts: list[Attempt]) -> list[Judged]:
    category = attempts[0].category
    return list(VERIFIERS[category].score(attempts, knobs=getattr(KNOBS, category)))


@pytest.mark.parametrize("name", CASES)
def test_verifier_accepts_its_reference_and_rejects_another(name: str) -> None:
    category, pairs = CASES[name]
    crossed = list(itertools.product(range(len(pairs)), repeat=2))
    verdicts = _judged(
        [attempt(category, pairs[ref][0], pairs[response][1]) for ref, response in crossed]
    )
    for (ref, response), verdict in zip(crossed, verdicts, strict=True):
        expected = ref == response
        assert (verdict.score is not None and verdict.score >= 0.9) == expected, verdict
        # A wrong answer is a low score, unless the verifier says why it cannot tell.
        assert verdict.status == "scored", verdict


@pytest.mark.parametrize("name", CASES)
def test_verifier_calls_these_references_usable_and_garbage_not(name: str) -> None:
    category, pairs = CASES[name]
    good = [attempt(category, reference, "").reference for reference, _ in pairs]
    bad = ["", "{}", "[]", "null", "not JSON", '{"answer": ""}', "9" * 5000]
    mixed = [one for pair in zip(good, bad, strict=False) for one in pair]
    problems = list(VERIFIERS[category].problems(iter(mixed), knobs=getattr(KNOBS, category)))
    assert len(problems) == len(mixed)
    assert problems[::2] == [None] * len(good)
    assert all(problems[1::2])


@pytest.mark.parametrize("name", CASES)
def test_a_reference_that_problems_refuses_is_never_scored(name: str) -> None:
    category, pairs = CASES[name]
    bad = ["", "{}", "[]", "null", "not JSON"]
    verdicts = _judged([attempt(category, reference, pairs[0][1]) for reference in bad])
    assert [verdict.status for verdict in verdicts] == ["bad_reference"] * len(bad)


def test_dialogue_without_an_endpoint_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCEWISE_JUDGE_URL", raising=False)
    (verdict,) = _judged([attempt("dialogue", "{}", "Hello, how can I help?")])
    assert (verdict.status, verdict.score) == ("unavailable", None)
    assert "SOURCEWISE_JUDGE_URL" in verdict.detail


# Every way in which a response can be no answer at all.
NO_ANSWERS = [
    "",
    " \n",
    "<think>",
    "<think>so far",
    "</think>",
    "<answer></answer>",
    "\x00",
    "�" * 9,
]
CATEGORIES = ["math", "code", "instruction", "science", "dialogue"]


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_attempt_has_one_verdict_with_a_name_and_a_time(category: str) -> None:
    pairs = next((case.pairs for case in CASES.values() if case.category == category), (({}, ""),))
    responses = [*NO_ANSWERS, *(response for _, response in pairs)]
    given = [attempt(category, pairs[0][0], response) for response in responses]
    cut = attempt(category, pairs[0][0], pairs[0][1], finish_reason="length")
    unasked = attempt(category, pairs[0][0], "", finish_reason="prompt_too_long")
    empty = attempt(category, pairs[0][0], " \n")
    verdicts = _judged([*given, cut, unasked, empty])
    assert len(verdicts) == len(given) + 3
    ends = [verdict.status for verdict in verdicts[-3:]]
    assert ends == ["truncated", "prompt_too_long", "no_response"]
    for verdict in verdicts:
        assert verdict.status in STATUSES
        assert (verdict.verifier, verdict.verifier_version) == (
            category,
            VERIFIERS[category].VERSION,
        )
        assert verdict.seconds >= 0
        assert verdict.detail
    assert sum(verdict.seconds for verdict in verdicts) > 0


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_verifier_streams(category: str) -> None:
    pairs = next((case.pairs for case in CASES.values() if case.category == category), (({}, ""),))
    taken = 0

    def endless() -> Iterator[Attempt]:
        nonlocal taken
        while True:
            taken += 1
            yield attempt(category, pairs[0][0], "<think>no end")

    verdicts = VERIFIERS[category].score(endless(), knobs=getattr(KNOBS, category))
    assert next(verdicts).status in ("truncated", "unavailable")
    verdicts.close()
    assert taken <= 4096


def test_every_module_of_the_folder_is_a_verifier_that_the_stage_knows() -> None:
    modules = {module.name for module in pkgutil.iter_modules(verifiers.__path__)}
    assert modules == set(VERIFIERS)
    assert set(Verifiers.model_fields) == set(VERIFIERS)
    for name, verifier in VERIFIERS.items():
        assert verifier.__name__.endswith(f".{name}")
        assert isinstance(verifier.VERSION, str)
        for function in (verifier.score, verifier.problems):
            assert list(inspect.signature(function).parameters)[1:] == ["knobs"]
