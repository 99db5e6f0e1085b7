"""Sections that make the query corpus: sources, clean, decontaminate, benchmarks."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from sourcewise.params.base import Count, Fraction, Positive, Section, Whole
from sourcewise.params.judge import QueryJudge
from sourcewise.params.overlap import Overlap

Category = Literal["math", "code", "science", "instruction", "dialogue"]

# Reference formats that are made of several columns: all of a row is converted.
OF_ROWS = ("ifeval", "humaneval", "humaneval_cpp", "mbpp", "evalplus", "livecodebench")


class Synthetic(Section):
    """Problems made by `sourcewise.synthetic`, with planted defects for the cleaning steps to find."""

    task: Literal["arithmetic", "multi_turn", "code", "instruction"]
    n: Count
    seed: int
    steps: tuple[Count, ...] = (1, 2)
    split: Literal["train", "held_out"] = "train"
    duplicates: Whole = 0
    urls: Whole = 0
    tables: Whole = 0
    broken: Whole = 0
    plant: dict[str, Whole] = {}


class Hub(Section):
    """A data set on a hub, pinned to a revision; streamed by `datasets`.

    Either a `split`, or JSONL `files` of the repository, whose rows may differ in their columns.
    """

    repo: str
    revision: str
    split: str | None = None
    subset: str | None = None
    files: Annotated[tuple[str, ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _split_or_files(self) -> Self:
        if (self.split is None) == (self.files is None):
            raise ValueError("a hub data set needs exactly one of the keys 'split' and 'files'")
        return self


class Columns(Section):
    """Where a row keeps what a Query needs; names of columns, dotted for nested ones.

    `starter_code` names a column with code that an answer completes, empty where it is to be a whole
    program, as LiveCodeBench has it: the prompt then says which of both is asked for, and in what form.
    """

    prompt: str | None = None
    starter_code: str | None = None
    messages: str | None = None
    reference: str | None = None
    reference_format: Literal[
        "answer",
        "after_hashes",
        "ifeval",
        "tests",
        "humaneval",
        "humaneval_cpp",
        "mbpp",
        "evalplus",
        "livecodebench",
        "json",
    ] = "answer"

    @model_validator(mode="after")
    def _one_prompt(self) -> Columns:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("give exactly one of the keys 'prompt' and 'messages'")
        if self.starter_code is not None and self.prompt is None:
            raise ValueError("the key 'starter_code' belongs to the key 'prompt'")
        return self

    @property
    def has_reference(self) -> bool:
        """Whether rows have something to judge an answer by."""
        return self.reference is not None or self.reference_format in OF_ROWS


class Origin(Section):
    """Where queries come from: files, a hub data set or the synthetic generator.

    `dates` keeps the rows whose `date_column` lies in a window of ISO dates: the first day is part of it, the
    last is not.
    """

    category: Category
    licence: str
    files: tuple[str, ...] | None = None
    hub: Hub | None = None
    synthetic: Synthetic | None = None
    columns: Columns | None = None
    limit: Count | None = None
    date_column: str | None = None
    dates: tuple[str, str] | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        given = [name for name in ("files", "hub", "synthetic") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"give exactly one of 'files', 'hub', 'synthetic'; here: {given or 'none'}"
            )
        if self.synthetic is None and self.columns is None:
            raise ValueError("a source of files or from a hub needs the key 'columns'")
        if self.files is not None and not self.files:
            raise ValueError("'files' is empty: name at least one file or remove the entry")
        return self

    @model_validator(mode="after")
    def _window(self) -> Self:
        if (self.dates is None) != (self.date_column is None):
            raise ValueError("the keys 'dates' and 'date_column' belong together")
        if self.dates is not None:
            first, last = map(date.fromisoformat, self.dates)
            if first >= last:
                raise ValueError(f"'dates' {self.dates} is empty: the last day is not part of it")
        return self


def _own_or_joined(shards: object) -> object:
    if isinstance(shards, str) or (type(shards) is int and shards >= 1):
        return shards
    raise ValueError(
        f"give the number of its own shards, 1 or more, or the name of the source whose shards it "
        f"joins (given: {shards!r})"
    )


class Source(Origin):
    """Queries to ask, and the shards they go to: so many of its own, or those of another source.

    A shard is what one job asks, judges and scores. Of its own it makes a source cheap to add or to
    change: no other source's jobs run again. Joined, small sources share the start of an engine.
    """

    shards: Annotated[int | str, BeforeValidator(_own_or_joined)]


class Clean(Section):
    """Query preprocessing, paper §2.1 steps 1 and 2; thresholds are unknown in the paper."""

    min_chars: Count
    max_chars: Count
    max_odd_character_ratio: Fraction
    drop_incomplete: bool
    drop_urls: bool
    drop_tables: bool
    drop_bad_references: bool


class NearDuplicates(Section):
    """Queries that share most runs of `n` words with an earlier one: Jaccard similarity, by MinHash.

    The paper names exact duplicates only; its diagram says "semantic" too, and not how.
    """

    n: Count
    similarity: Annotated[float, Field(gt=0, le=1)]
    permutations: Annotated[int, Field(ge=16, multiple_of=8)]


class Constrain(Section):
    """How constraints are found for instruction queries without any (paper §2.2: Qwen2.5-72B-Instruct).

    `model` stands behind the endpoint `$SOURCEWISE_JUDGE_URL`; it names 1 to `constraints` of them for
    each query. `seconds` is the longest wait for a reply. Not a section of params.yaml: what the stage
    constrain makes is raw data, named by a source's `files`.
    """

    model: str
    constraints: Count
    seconds: Positive
    seed: Whole


class Cleaning(Clean):
    """The section clean: thresholds, who else looks at clean queries, and whose copy of equal queries stays.

    `order` names every source once; the first that holds a query keeps it. (The order of the entries in
    params.yaml decides nothing: YAML mappings have none, and DVC does not look at it.)
    """

    near_duplicates: NearDuplicates | None
    judge: QueryJudge | None
    order: tuple[str, ...]

    @model_validator(mode="after")
    def _once(self) -> Self:
        if len(set(self.order)) < len(self.order):
            raise ValueError("order names a source twice: name each once")
        return self


class Embedding(Section):
    """A sentence-embedding model and the cosine above which a query counts as a copy.

    `prefilter` is the cosine of TF-IDF with an item below which a query is not embedded, for machines
    without a GPU; null embeds all, as the paper.
    """

    model: str
    revision: str
    threshold: Fraction
    prefilter: Fraction | None


class Decontaminate(Section):
    """paper §2.1 step 3: exact match and embedding similarity against every benchmark; the others are ours."""

    exact: bool
    ngram: Overlap | None
    changed_numbers: Overlap | None
    embedding: Embedding | None


class Copy(Section):
    """Another publication of a benchmark's questions, to be checked against; its files and columns."""

    files: Annotated[tuple[str, ...], Field(min_length=1)]
    columns: Columns


class Errata(Section):
    """Questions known to be wrong: a JSON `file` that maps a question to the reason.

    A question is known by what stands in one of the `columns` of its row. It is asked and scored as all
    others; the report shows scores with and without such questions.
    """

    file: str
    columns: Annotated[tuple[str, ...], Field(min_length=1)]


class Questions(Origin):
    """Where a benchmark's questions come from, those known to be wrong, and copies to check against.

    A copy with another answer to a question, or a text that holds its own answer where the other does not,
    stops the stage, unless the question is among the errata.
    """

    errata: Errata | None = None
    copies: dict[str, Copy] = {}

    @model_validator(mode="after")
    def _of_files(self) -> Self:
        if self.synthetic is not None and (self.errata is not None or self.copies):
            raise ValueError(
                "'errata' and 'copies' belong to published questions, not to 'synthetic'"
            )
        return self

    @property
    def raw_files(self) -> list[str]:
        """Every file that is read: questions, errata and copies."""
        own = [*(self.files or ()), *([self.errata.file] if self.errata else ())]
        return [*own, *(file for copy in self.copies.values() for file in copy.files)]


class Benchmark(Section):
    """Questions (`queries`), the verifier of their category and n samples per question.

    `queries` alone decides what decontamination looks for. `graded: false` makes the benchmark a target
    of decontamination only. `suffix` ends the user's turn when a student is asked.
    """

    queries: Questions
    samples: Count
    suffix: str
    max_tokens: Count | None
    graded: bool

    @model_validator(mode="after")
    def _can_be_graded(self) -> Self:
        columns, judged = self.queries.columns, self.queries.category != "dialogue"
        if self.graded and judged and columns is not None and not columns.has_reference:
            raise ValueError(
                "nothing to grade by: 'columns' names no reference; name one, or set 'graded: false' to keep "
                "the questions as targets of decontamination"
            )
        return self
