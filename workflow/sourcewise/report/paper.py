"""What arXiv 2505.14464 prints of its own data and students, to be drawn beside a run of the same.

Means and scores stand in the paper as numbers; what is marked "read off" was measured in its figures. Nothing
is drawn where like is not compared with like: the perplexities of figure 5 are left out, since the paper does
not say of which categories they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

AM, QWEN3, R1 = "AM-Thinking-v1", "Qwen3-235B-A22B", "DeepSeek-R1"
# Models, and released data sets of their responses.
TEACHERS = {
    "a-m-team/AM-Thinking-v1": AM,
    "a-m-team/AM-Thinking-v1-Distilled": AM,
    "Qwen/Qwen3-235B-A22B": QWEN3,
    "a-m-team/AM-Qwen3-Distilled": QWEN3,
    "deepseek-ai/DeepSeek-R1": R1,
}
BASE = "Qwen/Qwen2.5-32B"
# The hub's data sets that hold the questions of table 1.
BENCHMARKS = {
    "HuggingFaceH4/aime_2024": "AIME2024",
    "math-ai/aime25": "AIME2025",
    "HuggingFaceH4/MATH-500": "MATH500",
    "livecodebench/code_generation_lite": "LiveCodeBench",
}
# Table 1, shares; table 2, mean tokens of a sample.
SCORES = {
    "AIME2024": {AM: 0.843, QWEN3: 0.794, R1: 0.709},
    "AIME2025": {AM: 0.722, QWEN3: 0.622, R1: 0.528},
    "MATH500": {AM: 0.984, QWEN3: 0.939, R1: 0.958},
    "LiveCodeBench": {AM: 0.659, QWEN3: 0.596, R1: 0.570},
}
TOKENS = {
    "AIME2024": {AM: 15273.8, QWEN3: 13516.4, R1: 11853.5},
    "AIME2025": {AM: 18199.2, QWEN3: 16975.7, R1: 13495.9},
    "MATH500": {AM: 3495.7, QWEN3: 6429.4, R1: 3613.0},
    "LiveCodeBench": {AM: 23426.9, QWEN3: 13576.7, R1: 30731.0},
}
# Upper ends of the spans of figure 3, (0, 1024], (1024, 2048], …; the last span is open.
SPANS = tuple(range(1024, 10241, 1024))
# Figures 3 and 4 are of mathematics only: their means are those of figure 2's mathematics.
CATEGORY = "math"


class Box(NamedTuple):
    """Tokens of a response: the printed mean, the rest read off figure 4."""

    mean: float
    first: float
    median: float
    third: float


BOXES = {
    AM: Box(3757.3, 969, 1860, 4491),
    QWEN3: Box(4196.7, 1613, 2908, 5619),
    R1: Box(3784.8, 1613, 2533, 4640),
}
# Responses in each span, read off figure 3.
RESPONSES = {
    AM: (153508, 143468, 67356, 42392, 29774, 22448, 17564, 13765, 11323, 9152, 48361),
    QWEN3: (52974, 144960, 93947, 62743, 46191, 36015, 28010, 22448, 17292, 13086, 41442),
    R1: (24619, 194210, 110907, 64913, 42392, 29639, 21227, 16343, 12408, 9559, 32895),
}


def teachers(parameters: Mapping[str, Any]) -> dict[str, str]:
    """By name, those teachers of a run that are the paper's: by their model, or the data set imported."""
    found = {}
    for name, teacher in parameters["teachers"].items():
        imported = (teacher.get("import") or {}).get("hub") or {}
        known = TEACHERS.get(teacher.get("model") or imported.get("repo") or "")
        if known:
            found[name] = known
    return found


def students(parameters: Mapping[str, Any]) -> dict[str, str]:
    """By name, those students that are trained as the paper's: same base, verified answers of one teacher.

    The paper's sets share their queries, so a dataset without `solved_by` is another one.
    """
    known, found = teachers(parameters), {}
    base = parameters.get("train", {}).get("base")
    for name, student in parameters["students"].items():
        recipe = parameters["datasets"].get(student["dataset"])
        if recipe is None or (student.get("base") or {"model": base})["model"] != BASE:
            continue
        own = [known.get(teacher) for teacher in recipe["teachers"]]
        others = {known.get(teacher) for teacher in recipe["solved_by"]}
        complete = {"perplexity", "ngram", "structure"} <= _kinds(parameters, recipe)
        if len(own) == 1 and own[0] and {AM, QWEN3, R1} <= others and complete:
            found[name] = own[0]
    return found


def _kinds(parameters: Mapping[str, Any], recipe: Mapping[str, Any]) -> set[str]:
    """The kinds of filters of a recipe; the paper's perplexity has a limit per teacher."""
    named = [parameters.get("filters", {}).get(name, {}) for name in recipe["filters"]]
    return {
        one["filter"]
        for one in named
        if one and (one["filter"] != "perplexity" or one.get("per_teacher"))
    }


def benchmarks(parameters: Mapping[str, Any]) -> dict[str, str]:
    """By name, those benchmarks that are the paper's."""
    found = {}
    for name, benchmark in parameters["benchmarks"].items():
        hub = benchmark["queries"].get("hub") or {}
        if hub.get("repo") in BENCHMARKS:
            found[name] = BENCHMARKS[hub["repo"]]
    return found


def score(parameters: Mapping[str, Any], student: str, benchmark: str) -> float | None:
    """The paper's score of a student like this one at this benchmark; None where there is none."""
    known = benchmarks(parameters).get(benchmark)
    of = students(parameters).get(student)
    return SCORES[known][of] if known and of else None
