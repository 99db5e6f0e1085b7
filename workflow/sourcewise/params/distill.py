"""Sections of the distillation loop: teachers, distill, verifiers, perplexity."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from sourcewise.params.base import Count, Fraction, Positive, Sampling, Section
from sourcewise.params.judge import Judge
from sourcewise.params.queries import Hub


class Wrap(Section):
    """How a raw text is brought into `<think>…</think><answer>…</answer>`.

    none: kept as it is. after_think: what follows `</think>` becomes the answer. whole: everything is
    the answer, without reasoning. marker: the last line that starts with `marker` is the answer, what
    stands before it the reasoning; without such a line the reasoning was never ended.
    """

    rule: Literal["none", "after_think", "whole", "marker"]
    marker: str | None = None

    @model_validator(mode="after")
    def _marker(self) -> Self:
        if (self.rule == "marker") != (self.marker is not None):
            raise ValueError("the key 'marker' belongs to rule 'marker', and only to it")
        return self


class Import(Section):
    """Responses that somebody else generated: JSONL, JSON or Parquet files, or a hub's data set.

    A row has a `prompt` and a `response` column, or a column with the `messages` of a conversation
    (role and content, or from and value) that ends with the response. Rows are joined to queries by
    the content of what was asked, never by position. The k-th row of a query is its attempt k.
    `published` names a column with somebody else's verdict on the response (true or false, or a score);
    only the report reads it, to list where ours differs. In the names of columns dots reach into nested
    values, `turns.-1.score` to the last turn.
    """

    files: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    hub: Hub | None = None
    prompt: str | None = None
    response: str | None = None
    messages: str | None = None
    attempts: Count
    published: str | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.files is None) == (self.hub is None):
            raise ValueError("an import needs exactly one of the keys 'files' and 'hub'")
        pair = self.prompt is not None, self.response is not None
        if pair not in ((True, True), (False, False)) or (self.messages is not None) == pair[0]:
            raise ValueError(
                "an import needs the keys 'prompt' and 'response', or the key 'messages' alone"
            )
        return self


class Teacher(Section):
    """A model that is asked (`engine`) or whose released responses are taken in (`import`)."""

    revision: str
    wrap: Wrap
    engine: Literal["vllm", "transformers", "server"] | None = None
    model: str | None = None
    system: str | None = None
    sampling: Sampling | None = None
    imported: Import | None = Field(default=None, alias="import")

    @model_validator(mode="after")
    def _engine_or_import(self) -> Self:
        if (self.engine is None) == (self.imported is None):
            raise ValueError("a teacher needs exactly one of the keys 'engine' and 'import'")
        if self.engine is not None and (self.model is None or self.sampling is None):
            raise ValueError("a teacher with an 'engine' needs the keys 'model' and 'sampling'")
        return self


class Futility(Section):
    """Gives a shard's category up when its last round accepted, surely enough, less than `min_acceptance`."""

    min_acceptance: Fraction
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)]


class Distill(Section):
    """The retry loop (paper §2.2): ask until the score reaches `stop_score`, `max_attempts` times at most.

    `futility` ends it earlier where nothing is to be expected; null, as the paper: never.
    """

    max_attempts: Count
    stop_score: Fraction
    futility: Futility | None


class Reward(Section):
    """A sequence classifier that rates dialogue, loaded from safetensors, never from pickles.

    `reward_model` is a folder or a hub's name. `outputs` names its outputs in their order, coherence,
    correctness and helpfulness among them; each goes from `lowest` to `highest`.
    """

    reward_model: str
    revision: str
    outputs: tuple[str, ...]
    lowest: float
    highest: float
    max_tokens: Count

    @model_validator(mode="after")
    def _outputs(self) -> Self:
        if missing := sorted({"coherence", "correctness", "helpfulness"} - set(self.outputs)):
            raise ValueError(
                f"'outputs' lacks {', '.join(missing)}: name every output of the model"
            )
        if len(set(self.outputs)) < len(self.outputs):
            raise ValueError(f"'outputs' names one of {list(self.outputs)} twice")
        if self.lowest >= self.highest:
            raise ValueError(f"'lowest' {self.lowest:g} is not below 'highest' {self.highest:g}")
        return self


class MathVerifier(Section):
    """Rules first, then math-verify in killable workers; CPU seconds and memory are per answer.

    `judge` is asked for what both leave undecided (paper §4: Qwen2.5-7B-Instruct); null asks nobody.
    """

    seconds: Positive
    memory_mb: Count
    max_answer_chars: Count
    judge: Judge | None


class CodeVerifier(Section):
    """Sandboxed tests; the paper runs the first 10.

    CPU seconds and memory are those of one run: all asserts of a program together, or one input.
    `compile_seconds` are the compiler's.
    """

    max_tests: Count
    seconds: Positive
    memory_mb: Count
    compile_seconds: Positive


class InstructionVerifier(Section):
    """IFEval checkers; `strict` looks at the answer as it is, `loose` also at lightly trimmed variants."""

    mode: Literal["strict", "loose"]


def _judge_or_reward(section: object) -> str:
    """Tells the two apart, so that a mistake in one is not reported as many in the other."""
    is_reward = isinstance(section, Reward) or (
        isinstance(section, dict) and "reward_model" in section
    )
    return "reward" if is_reward else "judge"


Rater = Annotated[
    Annotated[Judge, Tag("judge")] | Annotated[Reward, Tag("reward")],
    Discriminator(_judge_or_reward),
]


class Verifiers(Section):
    """One verifier a category; `null` means that the category cannot be verified in this configuration."""

    math: MathVerifier
    code: CodeVerifier
    instruction: InstructionVerifier
    science: Judge | None
    dialogue: Rater | None


class Scorer(Section):
    """A causal model that scores a response given its query, and the longest text it reads (tokens)."""

    model: str
    revision: str
    max_tokens: Annotated[int, Field(ge=2)]


def _one_or_several(given: object) -> str:
    return "several" if isinstance(given, list | tuple) else "one"


def _different(scorers: tuple[Scorer, ...]) -> tuple[Scorer, ...]:
    names = [scorer.model for scorer in scorers]
    if len(set(names)) < len(names):
        raise ValueError(
            f"names one of {names} twice: rows and filters tell scorers by their model"
        )
    return scorers


# One scorer, or several in a list; the first is the one that a filter takes and reports show.
Scorers = Annotated[
    Annotated[Scorer, Tag("one")]
    | Annotated[
        tuple[Scorer, ...], Field(min_length=1), AfterValidator(_different), Tag("several")
    ],
    Discriminator(_one_or_several),
]
