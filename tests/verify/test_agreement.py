"""Our verdicts beside published ones, and every verifier against references: its own and another's."""

from collections.abc import Iterable

from rows import attempt, jsonl

from sourcewise.corpus import references
from sourcewise.grading.attempts import Attempt
from sourcewise.params.distill import CodeVerifier, InstructionVerifier, MathVerifier
from sourcewise.verifiers import code, instruction, math

MATH = MathVerifier(seconds=5, memory_mb=2048, max_answer_chars=2000, judge=None)
CODE = CodeVerifier(max_tests=10, seconds=5, memory_mb=512, compile_seconds=30)
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


def _wrapped(solution: str) -> str:
    """A GSM8K solution in the form of a response: its last line `A: …` is the answer."""
    reasoning, marker, answer = solution.rpartition("\nA: ")
    closed = f"<think>{reasoning}</think><answer>{answer}</answer>"
    return closed if marker else f"<think>{solution}"


def _disagreements(published: Iterable[bool], judged: Iterable[float | None]) -> list[int]:
    pairs = zip(published, judged, strict=True)
    return [n for n, (label, score) in enumerate(pairs) if label != (score == 1.0)]


def test_gsm8k_verdicts_agree_with_the_published_ones() -> None:
    rows, published = [], []
    for line in jsonl("gsm8k/example_model_solutions.jsonl"):
        answer = line["ground_truth"].rpartition("\nA: ")[2]
        for model in MODELS:
            rows.append(attempt("math", {"answer": answer}, _wrapped(line[model]["solution"])))
            published.append(line[model]["is_correct"])
    verdicts = list(math.score(rows, knobs=MATH))
    wrong = _disagreements(published, [verdict.score for verdict in verdicts])
    print(*(f"{published[n]} but {verdicts[n]}" for n in wrong), sep="\n")
    assert len(rows) == 4 * 1319
    assert len(wrong) <= 0.005 * len(rows)


def test_ifeval_verdicts_agree_with_the_published_ones() -> None:
    asked = {row["prompt"]: row for row in jsonl("ifeval/input_data.jsonl")}
    lines = jsonl("ifeval_responses/Mistral-7B-Instruct-v0.3.jsonl")
    rows = [attempt("instruction", asked[line["prompt"]], line["response"]) for line in lines]
    verdicts = list(instruction.score(rows, knobs=InstructionVerifier(mode="strict")))
    published = [line["follow_all_instructions"] for line in lines]
    wrong = _disagreements(published, [verdict.score for verdict in verdicts])
    print(*(f"{published[n]} but {verdicts[n]}" for n in wrong), sep="\n")
    assert len(rows) == 541
    assert len(wrong) <= 0.005 * len(rows)


def test_math500_solutions_pass_their_own_reference_and_no_other() -> None:
    lines = jsonl("math500/test.jsonl")
    answers = [line["answer"] for line in lines]
    others = answers[1:] + answers[:1]
    own = [attempt("math", {"answer": line["answer"]}, line["solution"]) for line in lines]
    swapped = [
        attempt("math", {"answer": other}, line["solution"])
        for other, line in zip(others, lines, strict=True)
    ]
    verdicts = list(math.score([*own, *swapped], knobs=MATH))
    assert [v.detail for v in verdicts[:500] if v.score != 1.0] == []
    accepted = [
        verdict.detail
        for verdict, other, answer in zip(verdicts[500:], others, answers, strict=True)
        if verdict.score == 1.0 and other != answer
    ]
    assert accepted in ([], ["equal to x=5, got 5"])
    assert {verdict.status for verdict in verdicts} == {"scored"}


def _mbpp(n: int) -> tuple[list[Attempt], list[Attempt]]:
    """Reference programs with their own tests, and with the tests of the next problem."""
    lines = jsonl("mbpp/mbpp.jsonl")[:n]
    programs = [f"```python\n{line['code']}\n```" for line in lines]
    tests = [references.FORMATS["tests"](line["test_list"]) for line in lines]
    own = [attempt("code", test, text) for test, text in zip(tests, programs, strict=True)]
    shifted = zip(tests, programs[1:] + programs[:1], strict=True)
    return own, [attempt("code", test, text) for test, text in shifted]


def test_mbpp_programs_pass_their_own_tests_and_no_others() -> None:
    own, others = _mbpp(120)
    verdicts = list(code.score([*own, *others], knobs=CODE))
    assert [v.detail for v in verdicts[:120] if v.score != 1.0] == []
    assert [v.detail for v in verdicts[120:] if v.score == 1.0] == []
