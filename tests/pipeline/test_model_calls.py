"""What an edit costs: exactly the model calls that nobody made before, and the jobs of its own branch."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from served import (
    ATTEMPTS,
    SEED,
    TEACHER,
    Params,
    answered,
    ask,
    change,
    prompts,
    records,
    served,
    source,
    teacher,
    threshold,
)
from teacher_server import Request, TeacherServer, loop, serving
from working_copy import Copy

ROUNDS = {"generate": 6, "verify": 6, "perplexity": 2, "distill_manifest": 1}

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def server() -> Iterator[TeacherServer]:
    """The teacher of this file's runs."""
    with pytest.MonkeyPatch.context() as patch, serving(delay=0.0) as running:
        patch.setenv("SOURCEWISE_SERVER_URLS", running.url)
        yield running


@pytest.fixture(scope="module")
def made(server: TeacherServer, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A finished run, never edited."""
    copy = served(tmp_path_factory.mktemp("served") / "copy")
    copy.call("snakemake --cores 2")
    return copy


class Cost:
    """What a run asked of the teachers and of the students, and the jobs that it did."""

    def __init__(self, copy: Copy, server: TeacherServer, command: str) -> None:
        before, samples = len(server.requests), _samples(copy)
        output = copy.call(command)
        self.calls = server.requests[before:]
        self.samples = _samples(copy) - samples
        self.jobs = Counter(re.findall(r"^(?:local)?rule ([a-z_]+):$", output, re.MULTILINE))
        del self.jobs["all"]


def _samples(copy: Copy) -> int:
    """How many answers of students are on record."""
    return sum(len(records(folder)) for folder in copy.folder.glob("data/benchmarks/*/ledger"))


def expected(stop: float, *, model: str = TEACHER, kind: str = "", n: int = 16) -> set[Request]:
    """The requests of the retry loop, said beforehand."""
    return loop(model, prompts(n, kind=kind), SEED, stop, ATTEMPTS)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_first_run_asks_each_attempt_once(made: Copy, server: TeacherServer) -> None:
    assert answered(made) == expected(0.9)
    asked = [request for request in server.requests if request in expected(0.9)]
    assert Counter(asked) == Counter(expected(0.9))


def test_a_threshold_swept_down_up_and_back_asks_only_what_is_newly_missing(
    made: Copy, server: TeacherServer, tmp_path: Path
) -> None:
    copy = made.twin(tmp_path / "copy")
    dataset = "snakemake --cores 2 -- dataset@words"
    first = files(copy.folder / "data/datasets")
    costs = {}
    for score in (0.8, 0.95, 0.9):
        change(copy, threshold(score))
        costs[score] = Cost(copy, server, dataset).calls
        assert (files(copy.folder / "data/datasets") == first) == (score == 0.9)
    newly_missing = expected(0.95) - expected(0.9)
    assert 0 < len(newly_missing) < len(expected(0.95))
    assert costs == {0.8: [], 0.95: costs[0.95], 0.9: []}
    assert Counter(costs[0.95]) == Counter(newly_missing)


@pytest.mark.campaign
def test_a_new_teacher_costs_its_own_rounds_and_the_report(
    made: Copy, server: TeacherServer, tmp_path: Path
) -> None:
    copy = made.twin(tmp_path / "copy")

    def edit(params: Params) -> None:
        params["teachers"]["other"] = teacher("other")

    change(copy, edit)
    assert copy.planned() == ROUNDS | {"report": 1}
    cost = Cost(copy, server, "snakemake --cores 2")
    assert Counter(cost.calls) == Counter(expected(0.9, model="other"))
    assert (cost.jobs, cost.samples) == (ROUNDS | {"report": 1}, 0)


@pytest.mark.campaign
def test_a_new_dataset_and_a_new_student_ask_no_teacher(
    made: Copy, server: TeacherServer, tmp_path: Path
) -> None:
    copy = made.twin(tmp_path / "copy")

    def dataset(params: Params) -> None:
        params["datasets"]["loose"] = {**params["datasets"]["words"], "min_score": 0.8}

    def student(params: Params) -> None:
        params["students"]["loose"] = {"dataset": "loose", "seed": 1}

    change(copy, dataset)
    cost = Cost(copy, server, "snakemake --cores 2")
    assert (cost.calls, cost.samples) == ([], 0)
    assert cost.jobs == {"select": 1, "filter": 1, "report": 1}

    change(copy, student)
    cost = Cost(copy, server, "snakemake --cores 2")
    assert (cost.calls, cost.samples) == ([], 4)
    assert cost.jobs == {"train": 1, "sample": 1, "grade": 1, "report": 1}


@pytest.mark.campaign
def test_a_new_benchmark_asks_the_students_its_own_questions(
    made: Copy, server: TeacherServer, tmp_path: Path
) -> None:
    copy = made.twin(tmp_path / "copy")

    def edit(params: Params) -> None:
        easy = params["benchmarks"]["easy"]
        synthetic = {**easy["queries"]["synthetic"], "n": 3, "seed": 22}
        queries = {**easy["queries"], "synthetic": synthetic}
        params["benchmarks"]["more"] = {**easy, "queries": queries}

    change(copy, edit)
    cost = Cost(copy, server, "snakemake --cores 2")
    assert (cost.calls, cost.samples) == ([], 2 * 3)
    # Corpus and responses are searched for the new questions; they hold none, so nothing behind them runs.
    own = {
        "benchmark_queries": 1,
        "decontaminate": 2,
        "filter": 1,
        "sample": 2,
        "grade": 2,
    }
    assert cost.jobs == own | {"report": 1}


def shard_files(copy: Copy, source: str) -> dict[str, tuple[bytes, int]]:
    """What the shards of a source hold and when it was written: queries, responses, verdicts, perplexities."""
    found = copy.folder.glob(f"data/**/{source}-[0-9]*.parquet")
    return {
        str(file.relative_to(copy.folder)): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in found
    }


@pytest.mark.campaign
def test_a_new_source_is_asked_in_its_own_shard_only(
    made: Copy, server: TeacherServer, tmp_path: Path
) -> None:
    copy = made.twin(tmp_path / "copy")
    before = shard_files(copy, "words")
    file = Path("data/raw/more.jsonl")
    ask(copy, file, prompts(6, kind="more"))

    def edit(params: Params) -> None:
        params["sources"]["more"] = source(file, shards=1)
        params["clean"]["order"].append("more")

    change(copy, edit)
    cost = Cost(copy, server, "snakemake --cores 2")
    assert Counter(cost.calls) == Counter(expected(0.9, kind="more", n=6))
    assert shard_files(copy, "words") == before
    # Six files of queries, two a round, one of perplexities.
    assert len(before) == 2 * len(shard_files(copy, "more")) == 2 * (6 + 2 * ATTEMPTS + 1)
    shard = {"collect": 1, "clean": 1, "decontaminate": 1, "generate": 3, "verify": 3}
    shard |= {"perplexity": 1, "corpus_manifest": 1, "distill_manifest": 1}
    # What it brought is in the dataset, so in its student too; the untrained base is left alone.
    behind = {"select": 1, "filter": 1, "train": 1, "sample": 1, "grade": 1, "report": 1}
    assert cost.jobs == shard | behind
