"""Answers whose truth is known, as rows with a label: the sets that `sourcewise audit` reads from a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sourcewise.commands import programs
from sourcewise.commands.rows import Row
from sourcewise.corpus.reading import rows
from sourcewise.grading.attempts import Attempt
from sourcewise.tables import Message

SOLVERS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


class Answer(NamedTuple):
    """A response to a query with its label; `label` None says that there is none, for a reason."""

    question: str
    reference: dict[str, Any]
    text: str
    label: bool | None
    reason: str = ""


class LabelledSet(NamedTuple):
    """A set's category, its files below the folder, and what reads them."""

    category: str
    files: tuple[str, ...]
    answers: Callable[..., Iterator[Answer]]


def read(folder: Path, name: str) -> Iterator[Row]:
    """The rows of a set in order; those without a label have no attempt."""
    chosen = SETS[name]
    answers = chosen.answers(*(folder / file for file in chosen.files))
    for number, answer in enumerate(answers, 1):
        given = {"id": number, "label": answer.label}
        if answer.label is None:
            yield Row(number, 0, given, None, answer.reason)
            continue
        attempt = Attempt(
            query_id=str(number),
            attempt=1,
            category=chosen.category,
            messages=[Message("user", answer.question)],
            reference=json.dumps(answer.reference),
            text=answer.text,
            finish_reason="stop",
        )
        yield Row(number, 0, given, attempt)


def _gsm8k(path: Path) -> Iterator[Answer]:
    """Solutions of four models with the published `is_correct`; the last line `A: …` is the answer."""
    for _, line in rows(path):
        reference = {"answer": line["ground_truth"].rpartition("\nA: ")[2]}
        for solver in SOLVERS:
            solution, label = line[solver]["solution"], line[solver]["is_correct"]
            reasoning, marker, answer = solution.rpartition("\nA: ")
            closed = f"<think>{reasoning}</think><answer>{answer}</answer>"
            text = closed if marker else f"<think>{solution}"
            yield Answer(line["question"], reference, text, label)


def _math500(path: Path) -> Iterator[Answer]:
    """Each solution against its own answer (right), and against that of another problem (wrong)."""
    problems = [line for _, line in rows(path)]
    answers = [line["answer"] for line in problems]
    for n, line in enumerate(problems):
        question, text = line["problem"], line["solution"]
        yield Answer(question, {"answer": answers[n]}, text, True)
        other = next(a for a in answers[n + 1 :] + answers if a != answers[n])
        yield Answer(question, {"answer": other}, text, False)


def _ifeval(prompts: Path, responses: Path) -> Iterator[Answer]:
    """A model's responses with the published strict verdict on the whole prompt."""
    asked = {line["prompt"]: line for _, line in rows(prompts)}
    for _, line in rows(responses):
        query = asked[line["prompt"]]
        reference = {key: query[key] for key in ("instruction_id_list", "kwargs")}
        yield Answer(line["prompt"], reference, line["response"], line["follow_all_instructions"])


def _programs(source: Callable[[Path], Iterator[programs.Program]], path: Path) -> Iterator[Answer]:
    """Reference programs (right) and a mutant of each (wrong), as running the set's own tests shows."""
    for program in programs.labelled(source(path)):
        text = f"```{program.language}\n{program.whole}\n```"
        yield Answer(program.question, program.reference, text, program.label, program.reason)


def _set(file: str, source: Callable[[Path], Iterator[programs.Program]]) -> LabelledSet:
    return LabelledSet("code", (file,), lambda path: _programs(source, path))


SETS = {
    "gsm8k": LabelledSet("math", ("gsm8k/example_model_solutions.jsonl",), _gsm8k),
    "math500": LabelledSet("math", ("math500/test.jsonl",), _math500),
    "ifeval": LabelledSet(
        "instruction",
        ("ifeval/input_data.jsonl", "ifeval_responses/Mistral-7B-Instruct-v0.3.jsonl"),
        _ifeval,
    ),
    "humaneval": _set("humaneval/HumanEval.jsonl.gz", programs.humaneval),
    "mbpp": _set("mbpp/mbpp.jsonl", programs.mbpp),
    "humanevalplus": _set("humanevalplus/HumanEvalPlus.jsonl.gz", programs.evalplus),
    "mbppplus": _set("mbppplus/MbppPlus.jsonl.gz", programs.evalplus),
    "leetcode": _set("code_tests/leetcode.json", programs.leetcode),
    "humaneval_cpp": _set("humaneval_cpp/humaneval_cpp.jsonl.gz", programs.humaneval_cpp),
}
